"""Every benchmark by name: what `make bench` can run, in this order, and on what."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from servers.stack import STACKS, VALKEY

from bench.accept import accept
from bench.articles import articles
from bench.drain import drain
from bench.figure import Figure
from bench.in_flight import in_flight
from bench.latency import latency
from bench.projector import projector
from bench.reads import reads
from bench.scale import scale
from bench.sizes import Sizes
from bench.start import start
from bench.streams import streams


@dataclass(frozen=True, slots=True)
class Benchmark:
    measure: Callable[[Sizes], Iterator[Figure]]  # its docstring describes what it measures
    stacks: Collection[str] = STACKS


BENCHMARKS: Mapping[str, Benchmark] = {
    "drain": Benchmark(drain),
    "projector": Benchmark(projector),
    "latency": Benchmark(latency),
    "scale": Benchmark(scale),
    "in_flight": Benchmark(in_flight),
    "articles": Benchmark(articles),
    "accept": Benchmark(accept),
    "reads": Benchmark(reads, [VALKEY]),  # its limit is SQLite in the process that measures
    "streams": Benchmark(streams),
    "start": Benchmark(start, [VALKEY]),  # local mode has no other
}


def of(stack: str) -> list[str]:
    return [name for name, benchmark in BENCHMARKS.items() if stack in benchmark.stacks]
