"""Looks at the projection all the time: whether what is counted is what is there, in one read transaction each."""

import sqlite3
from pathlib import Path
from threading import Event, Thread
from types import TracebackType

_SECONDS = "strftime('%s', substr({0}, 1, 19))"  # of the whole text, SQLite rounds .9995 up to the next second
_MICROSECONDS = f"({_SECONDS} * 1000000 + substr({{0}}, 21))"
_TOOK = f"max(0, ({_MICROSECONDS.format('ended_at')} - {_MICROSECONDS.format('started_at')}) / 1000)"
_ONE = {"category": "category", "subcategory": "subcategory", "company": "company", "complexity_level": "complexity"}
_MANY = {"tags": "tag", "technologies": "technology"}
_OF_CONTENTS = " UNION ".join(
    [f"SELECT '{facet}', json_extract(content, '$.{field}'), id FROM contents" for field, facet in _ONE.items()]
    + [f"SELECT '{f}', value, contents.id FROM contents, json_each(content, '$.{field}')" for field, f in _MANY.items()]
)
# what is kept, and what it is kept of: two queries that must give the same rows at every moment
_AGREE = {
    "topics by status": (
        "SELECT status, sum(submissions) FROM status_counts GROUP BY status HAVING sum(submissions) != 0",
        "SELECT status, count(*) FROM submissions WHERE status != 'removed' GROUP BY status",
    ),
    "milliseconds they took": (
        "SELECT coalesce(sum(timed), 0), coalesce(sum(milliseconds), 0) FROM status_counts",
        f"""SELECT count(*), coalesce(sum({_TOOK}), 0) FROM submissions
            WHERE status = 'completed' AND started_at IS NOT NULL AND ended_at IS NOT NULL""",
    ),
    "topics by facet": (
        "SELECT facet, value, sum(submissions) FROM facet_counts GROUP BY 1, 2 HAVING sum(submissions) != 0",
        "SELECT facet, value, count(*) FROM facets GROUP BY 1, 2",
    ),
    "facets": ("SELECT facet, value, id FROM facets", _OF_CONTENTS),
    "cards": ("SELECT id FROM contents", "SELECT id FROM submissions WHERE content_attempt > 0"),
}


def disagreement(database: sqlite3.Connection) -> str | None:
    """The first thing that is counted otherwise than it is there, at one moment."""
    database.execute("BEGIN")
    try:
        for what, queries in _AGREE.items():
            kept, there = (set(database.execute(query)) for query in queries)
            if kept != there:
                return f"{what}: counted are {list(kept - there)[:5]}, there are {list(there - kept)[:5]}"
        return None
    finally:
        database.execute("COMMIT")


class Looks:
    """In a thread of its own while it is entered; raises AssertionError at the end if any look found a disagreement."""

    def __init__(self, path: str | Path) -> None:
        self.number = 0
        self._uri = f"file:{path}?mode=ro"
        self._found: str | None = None
        self._enough = Event()
        self._thread = Thread(target=self._look_until_enough, name="looks")

    def _look_until_enough(self) -> None:
        database = sqlite3.connect(self._uri, uri=True, isolation_level=None)
        try:
            while not self._found and not self._enough.wait(0.005):
                self._found = disagreement(database)
                self.number += 1
        except sqlite3.Error as error:
            self._found = f"look {self.number}: {error}"
        finally:
            database.close()

    def __enter__(self) -> "Looks":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._enough.set()
        self._thread.join()
        assert self._found is None, self._found
        assert kind or self.number > 10, f"only {self.number} looks"
