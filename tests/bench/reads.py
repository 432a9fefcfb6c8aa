"""Reads over HTTP from a large projection, beside the same from one of 1,000 topics and beside SQLite by hand."""

import asyncio
import socket
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import many_topics
from bench.bench_deployment import API, bench_deployment
from bench.figure import Figure
from bench.http_bytes import is_whole, request, status
from bench.read_queries import Read, read_queries
from bench.sizes import Sizes

SMALL = 1_000
AT_MOST_SECONDS = 2.0  # limit for each read, even below `--asks`
AT_LEAST = 3


def reads(sizes: Sizes) -> Iterator[Figure]:
    """GET, p50 over one warm connection; limit: the same by hand in SQLite; growth: since 1,000 topics"""
    with TemporaryDirectory(prefix="topicflow-bench-") as folder:
        kept = Path(sizes.keep or folder).absolute()
        small = {read.what: measured for read, measured, _ in _measured(kept, SMALL, sizes)}
        for read, measured, limit in _measured(kept, sizes.rows, sizes):
            yield Figure(read.what, "ms", measured, limit, small[read.what], read.aim)


def _measured(kept: Path, rows: int, sizes: Sizes) -> Iterator[tuple[Read, float, float]]:
    """Each read with its milliseconds over HTTP and by hand."""
    folder = kept / f"topics-{rows}"
    folder.mkdir(parents=True, exist_ok=True)
    with bench_deployment(sizes.on, folder) as run:
        asyncio.run(many_topics.make(run.database_url, rows))
        run.add("api", API)
        run.until("/ready")
        with (
            socket.create_connection(("127.0.0.1", run.api_port)) as connection,
            closing(
                sqlite3.connect(f"file:{run.database_url.removeprefix('sqlite:///')}?mode=ro", uri=True)
            ) as database,
        ):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for read in read_queries(run.database_url, rows):
                query = request("GET", f"/api/v1{read.path}")
                measured = _p50(lambda query=query: _ask(connection, query), sizes.asks)  # type: ignore[misc]
                yield read, measured, _p50(lambda read=read: _baseline(database, read), sizes.asks)  # type: ignore[misc]


def _p50(call: Callable[[], None], times: int) -> float:
    """Milliseconds; the first tenth is not counted."""
    took: list[float] = []
    until = time.perf_counter() + AT_MOST_SECONDS
    while len(took) < AT_LEAST or (len(took) < times and time.perf_counter() < until):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took[len(took) // 10 :])


def _ask(connection: socket.socket, query: bytes) -> None:
    connection.sendall(query)
    answer = bytearray()
    while not is_whole(answer):
        answer += connection.recv(1 << 18)
    if status(answer) != 200:
        raise RuntimeError(f"{query!r}: {answer[:500].decode()}")


def _baseline(database: sqlite3.Connection, read: Read) -> None:
    for statement, values in read.baseline:
        database.execute(statement, values).fetchall()
