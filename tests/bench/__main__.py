"""`make bench`: what this machine does, with the hand-written limit measured in the same run beside it."""

import argparse
import json
import os
import platform

from rich.console import Console
from rich.table import Table

from bench.drain import drain
from bench.latency import latency
from bench.setting import BY_HAND, LLM_IN_PROCESS, LLM_OVER_HTTP

HOW = (LLM_IN_PROCESS, LLM_OVER_HTTP, BY_HAND)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--topics", type=int, default=6000, help="to drain")
    parser.add_argument("--rate", type=float, default=20.0, help="topics a second, for the latency")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long the latency is measured")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    asked = parser.parse_args()
    drained = {how: drain(how, asked.topics) for how in HOW}
    latencies = {how: latency(how, asked.rate, int(asked.rate * asked.seconds)) for how in HOW}
    if asked.json:
        print(json.dumps({"drain_topics_per_s": drained, "latency_ms_p50_p99": latencies}))
    else:
        _show(asked, drained, latencies)


def _show(asked: argparse.Namespace, drained: dict[str, float], latencies: dict[str, tuple[float, float]]) -> None:
    table = Table(title=f"topicflow on {os.cpu_count()} cores, Python {platform.python_version()}, Valkey and SQLite")
    table.add_column("LLM answers")
    table.add_column("drain, topics/s", justify="right")
    table.add_column("of the limit", justify="right")
    table.add_column("latency p50, ms", justify="right")
    table.add_column("p99, ms", justify="right")
    for how in HOW:
        p50, p99 = latencies[how]
        share = drained[how] / drained[BY_HAND]
        name = "in the process, all written by hand: the limit" if how == BY_HAND else how
        table.add_row(name, f"{drained[how]:,.0f}", f"{share:.2f}", f"{p50:.1f}", f"{p99:.1f}")
    console = Console()
    console.print(table)
    console.print(
        f"Drain: {asked.topics} submitted topics until projected; 1 worker, 1 projector.\n"
        f"Latency: one title each at {asked.rate:g}/s for {asked.seconds:g} s, from POST (the limit: from the broker)"
        " until its card is projected.\nAgain: make bench"
    )


if __name__ == "__main__":
    main()
