"""Looks at the projection all the time: whether what is counted is what is there, in one read transaction each."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from threading import Event, Thread
from types import TracebackType
from typing import Any

import psycopg

Ask = Callable[[str], set[tuple[Any, ...]]]
Look = Callable[[], AbstractContextManager[Ask]]

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


def _agree(sql: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """What is kept, and what it is kept of: two queries that must give the same rows at every moment."""
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


def disagreement(ask: Ask, queries: Mapping[str, tuple[str, str]]) -> str | None:
    """The first thing that is counted otherwise than it is there."""
    for what, pair in queries.items():
        kept, there = map(ask, pair)
        if kept != there:
            return f"{what}: counted are {list(kept - there)[:5]}, there are {list(there - kept)[:5]}"
    return None


@contextmanager
def _sqlite(url: str) -> Iterator[Look]:
    with closing(sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode=ro", uri=True)) as database:
        database.isolation_level = None

        @contextmanager
        def look() -> Iterator[Ask]:
            database.execute("BEGIN")
            yield lambda query: set(database.execute(query))
            database.execute("COMMIT")

        yield look


@contextmanager
def _postgresql(url: str) -> Iterator[Look]:
    with psycopg.connect(url) as database:
        database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

        @contextmanager
        def look() -> Iterator[Ask]:
            with database.transaction():
                yield lambda query: set(database.execute(query.encode()).fetchall())

        yield look


class Looks:
    """In a thread of its own while it is entered; raises AssertionError at the end if any look found a disagreement."""

    def __init__(self, url: str) -> None:
        self.number = 0
        kind, sql = (_sqlite, _SQLITE) if url.startswith("sqlite:") else (_postgresql, _POSTGRESQL)
        self._open = kind(url)
        self._queries = _agree(sql)
        self._found: str | None = None
        self._enough = Event()
        self._thread = Thread(target=self._look_until_enough, name="looks")

    def _look_until_enough(self) -> None:
        try:
            with self._open as look:
                while not self._found and not self._enough.wait(0.005):
                    with look() as ask:
                        self._found = disagreement(ask, self._queries)
                    self.number += 1
        except (sqlite3.Error, psycopg.Error) as error:
            self._found = f"look {self.number}: {error}"

    def __enter__(self) -> "Looks":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._enough.set()
        self._thread.join()
        assert self._found is None, self._found
        assert kind or self.number > 10, f"only {self.number} looks"
