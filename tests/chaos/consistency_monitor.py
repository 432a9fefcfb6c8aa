"""Checks the projection continuously: counts must equal the rows that they count, in each read transaction."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from threading import Event, Thread
from types import TracebackType
from typing import Any

import psycopg

RunQuery = Callable[[str], set[tuple[Any, ...]]]
OpenSnapshot = Callable[[], AbstractContextManager[RunQuery]]

_SECONDS = "strftime('%s', substr({0}, 1, 19))"  # of the whole text, SQLite rounds .9995 up to the next second
_MICROSECONDS = f"({_SECONDS} * 1000000 + substr({{0}}, 21))"
_ONE = {"category": "category", "subcategory": "subcategory", "company": "company", "complexity_level": "complexity"}
_MANY = {"tags": "tag", "technologies": "technology"}
_SQLITE = {
    "took": f"max(0, ({_MICROSECONDS.format('ended_at')} - {_MICROSECONDS.format('started_at')}) / 1000)",
    "one": "SELECT '{facet}', json_extract(content, '$.{field}'), id FROM contents",
    "many": "SELECT '{facet}', value, contents.id FROM contents, json_each(content, '$.{field}')",
}
_POSTGRESQL = {
    "took": "greatest(0, floor(extract(epoch FROM ended_at - started_at) * 1000))",
    "one": "SELECT '{facet}', content::json ->> '{field}', id FROM contents",
    "many": "SELECT '{facet}', json_array_elements_text(content::json -> '{field}'), id FROM contents",
}


def _query_pairs(sql: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Pairs of queries, of derived rows and of their sources, that must always return the same rows."""
    of_contents = [sql["one"].format(field=field, facet=facet) for field, facet in _ONE.items()]
    of_contents += [sql["many"].format(field=field, facet=facet) for field, facet in _MANY.items()]
    return {
        "topics by status": (
            "SELECT status, sum(submissions) FROM status_counts GROUP BY status HAVING sum(submissions) != 0",
            "SELECT status, count(*) FROM submissions WHERE status != 'removed' GROUP BY status",
        ),
        "milliseconds they took": (
            "SELECT coalesce(sum(timed), 0), coalesce(sum(milliseconds), 0) FROM status_counts",
            f"""SELECT count(*), coalesce(sum({sql["took"]}), 0) FROM submissions
                WHERE status = 'completed' AND started_at IS NOT NULL AND ended_at IS NOT NULL""",
        ),
        "topics by facet": (
            "SELECT facet, value, sum(submissions) FROM facet_counts GROUP BY 1, 2 HAVING sum(submissions) != 0",
            "SELECT facet, value, count(*) FROM facets GROUP BY 1, 2",
        ),
        "facets": ("SELECT facet, value, id FROM facets", " UNION ".join(of_contents)),
        "cards": ("SELECT id FROM contents", "SELECT id FROM submissions WHERE content_attempt > 0"),
    }


def disagreement(run_query: RunQuery, queries: Mapping[str, tuple[str, str]]) -> str | None:
    """The first pair whose rows differ, None if there is none."""
    for what, pair in queries.items():
        derived, actual = map(run_query, pair)
        if derived != actual:
            return f"{what}: only derived {list(derived - actual)[:5]}, only actual {list(actual - derived)[:5]}"
    return None


@contextmanager
def _sqlite(url: str) -> Iterator[OpenSnapshot]:
    with closing(sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode=ro", uri=True)) as database:
        database.isolation_level = None

        @contextmanager
        def snapshot() -> Iterator[RunQuery]:
            database.execute("BEGIN")
            yield lambda query: set(database.execute(query))
            database.execute("COMMIT")

        yield snapshot


@contextmanager
def _postgresql(url: str) -> Iterator[OpenSnapshot]:
    with psycopg.connect(url) as database:
        database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

        @contextmanager
        def snapshot() -> Iterator[RunQuery]:
            with database.transaction():
                yield lambda query: set(database.execute(query.encode()).fetchall())

        yield snapshot


class ConsistencyMonitor:
    """Runs in a thread of its own while entered; raises AssertionError at the end if any check found a difference."""

    def __init__(self, url: str) -> None:
        self.checks = 0
        kind, sql = (_sqlite, _SQLITE) if url.startswith("sqlite:") else (_postgresql, _POSTGRESQL)
        self._open = kind(url)
        self._queries = _query_pairs(sql)
        self._error: str | None = None
        self._stopped = Event()
        self._thread = Thread(target=self._check_until_stopped, name="consistency-monitor")

    def _check_until_stopped(self) -> None:
        try:
            with self._open as snapshot:
                while not self._error and not self._stopped.wait(0.005):
                    with snapshot() as run_query:
                        self._error = disagreement(run_query, self._queries)
                    self.checks += 1
        except (sqlite3.Error, psycopg.Error) as error:
            self._error = f"check {self.checks}: {error}"

    def __enter__(self) -> "ConsistencyMonitor":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join()
        assert self._error is None, self._error
        assert kind or self.checks > 10, f"only {self.checks} checks"
