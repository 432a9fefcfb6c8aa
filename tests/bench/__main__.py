"""`make bench`: measures topicflow on this machine, and the hand-written limit in the same run."""

import argparse
import inspect
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import benchmarks
from bench.benchmarks import BENCHMARKS
from bench.machine import facts
from bench.sizes import Sizes
from bench.table import WIDTH, show
from local_processes.errors import Failed

SERVERS = {"valkey": "Valkey", "sqlite": "SQLite", "kafka": "Kafka", "postgresql": "PostgreSQL"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which ones: {', '.join(BENCHMARKS)}; all if none is named")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write them there too")
    Sizes.add_to(parser)
    arguments = parser.parse_args()
    sizes = Sizes.of(arguments)
    available = benchmarks.of(sizes.on)
    if unknown := set(arguments.names) - set(available):
        parser.error(f"there is no {', '.join(sorted(unknown))} on {sizes.on}: choose from {', '.join(available)}")
    console = Console(width=WIDTH)
    machine = facts()
    on = ", ".join(f"{SERVERS[name]} {machine[name]}" for name in sizes.on.split("+"))
    console.print(
        f"{machine['cores']} cores of {machine['cpu']}, Python {machine['python']}, {on}\n"
        f"{machine['date']}, commit {machine['commit']}, load {machine['load_average_before']}\n",
        highlight=False,
    )
    try:
        figures = [figure for name in arguments.names or available for figure in _measured(console, name, sizes)]
    except Failed as reason:
        parser.exit(1, f"{reason}\n")
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"machine": machine, "figures": figures}, indent=2, ensure_ascii=False) + "\n"
        )


def _measured(console: Console, name: str, sizes: Sizes) -> list[dict[str, Any]]:
    """Prints each figure as soon as it is measured."""
    measure, again = BENCHMARKS[name].measure, sizes.again(name)
    figures = list(measure(sizes))
    show(console, name, inspect.getdoc(measure) or "", again, figures)
    return [figure.as_json(name, again) for figure in figures]


if __name__ == "__main__":
    main()
