"""How much each benchmark measures: the options of `make bench`."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, field, fields
from typing import Any


def _size(default: float | str, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True, slots=True)
class Sizes:
    topics: int = _size(6000, "drain, projector: how many topics")
    database: str = _size("sqlite", "projector: or postgresql")
    rate: float = _size(20.0, "latency: topics a second")
    seconds: float = _size(10.0, "latency: for how long")
    titles: int = _size(60_000, "accept: how many, 500 a request")
    posts: int = _size(5_000, "accept: how many requests of one title")
    rows: int = _size(1_000_000, "reads: how many topics the larger projection has; the smaller one has 1,000")
    asks: int = _size(200, "reads: how often each is asked, within two seconds")
    keep: str = _size("", "reads: a folder in which the projections stay, for the next run")

    @classmethod
    def add_to(cls, parser: ArgumentParser) -> None:
        for size in fields(cls):
            help_ = f"{size.metadata['help']} (%(default)s)" if size.default else size.metadata["help"]
            parser.add_argument(f"--{size.name}", type=type(size.default), default=size.default, help=help_)

    @classmethod
    def of(cls, asked: Namespace) -> "Sizes":
        return cls(**{size.name: getattr(asked, size.name) for size in fields(cls)})

    def again(self, name: str) -> str:
        """The command that runs this benchmark at these sizes."""
        values = [(size.name, getattr(self, size.name), size.default) for size in fields(self)]
        options = [f"--{option} {value}" for option, value, default in values if value != default]
        return f'make bench ARGS="{" ".join([name, *options])}"'
