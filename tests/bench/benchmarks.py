"""Every benchmark by name: what `make bench` can run, in this order."""

from collections.abc import Callable, Iterator, Mapping

from bench.accept import accept
from bench.drain import drain
from bench.figure import Figure
from bench.latency import latency
from bench.projector import projector
from bench.reads import reads
from bench.sizes import Sizes
from bench.start import start

Benchmark = Callable[[Sizes], Iterator[Figure]]  # its docstring says what it measures

BENCHMARKS: Mapping[str, Benchmark] = {
    "drain": drain,
    "projector": projector,
    "latency": latency,
    "accept": accept,
    "reads": reads,
    "start": start,
}
