"""How much each benchmark measures, and on what: the options of `make bench`."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from servers.stack import STACKS, VALKEY


def _size(default: float | str, help: str, choices: Sequence[str] | None = None) -> Any:
    return field(default=default, metadata={"help": help, "choices": choices})


@dataclass(frozen=True, slots=True)
class Sizes:
    on: str = _size(VALKEY, f"{' or '.join(STACKS)}: broker and database", choices=STACKS)
    topics: int = _size(
        0, "drain, projector, in_flight, streams: how many topics, articles: how many; 0 is what a minute suffices for"
    )
    rate: float = _size(20.0, "latency: topics a second")
    seconds: float = _size(10.0, "latency, scale: for how long")
    titles: int = _size(60_000, "accept: how many, 500 a request")
    posts: int = _size(5_000, "accept: how many requests of one title")
    rows: int = _size(1_000_000, "reads: how many topics the larger projection has; the smaller one has 1,000")
    asks: int = _size(200, "reads: how often each is asked, within two seconds")
    keep: str = _size("", "reads: a folder in which the projections stay, for the next run")

    @classmethod
    def add_to(cls, parser: ArgumentParser) -> None:
        for size in fields(cls):
            default, choices = size.default, size.metadata["choices"]
            help_ = f"{size.metadata['help']} (%(default)s)" if default else size.metadata["help"]
            parser.add_argument(f"--{size.name}", type=type(default), default=default, help=help_, choices=choices)

    @classmethod
    def of(cls, arguments: Namespace) -> "Sizes":
        return cls(**{size.name: getattr(arguments, size.name) for size in fields(cls)})

    @property
    def broker(self) -> str:
        return self.servers[0]

    @property
    def servers(self) -> list[str]:
        """The names of the broker and of the database, if it is a process."""
        return [name for name in self.on.split("+") if name != "sqlite"]

    def again(self, name: str) -> str:
        """The command that runs this benchmark at these sizes."""
        values = [(size.name, getattr(self, size.name), size.default) for size in fields(self)]
        options = [f"--{option} {value}" for option, value, default in values if value != default]
        return f'make bench ARGS="{" ".join([name, *options])}"'
