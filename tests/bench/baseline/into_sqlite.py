"""A transaction a batch, with prepared statements."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from bench.baseline.events import BatchRows, Store

TABLES = """
    PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;
    CREATE TABLE submissions (id TEXT PRIMARY KEY, title TEXT, rank INT, status TEXT, at TEXT);
    CREATE TABLE contents (id TEXT PRIMARY KEY, content TEXT);
    CREATE TABLE history (event_id TEXT PRIMARY KEY, id TEXT, event TEXT, at TEXT);
    CREATE TABLE status_counts (status TEXT PRIMARY KEY, submissions INT);
    CREATE TABLE positions (partition INT PRIMARY KEY, positions TEXT);
    INSERT INTO positions VALUES (0, '{}');
"""
PUT = """
    INSERT INTO submissions VALUES (?,?,?,?,?) ON CONFLICT (id) DO UPDATE
    SET rank = excluded.rank, status = excluded.status, at = excluded.at WHERE excluded.rank >= rank
"""
COUNT = """
    INSERT INTO status_counts VALUES ('completed', ?)
    ON CONFLICT (status) DO UPDATE SET submissions = submissions + excluded.submissions
"""


def opened(url: str) -> Store:
    database = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    database.executescript(TABLES)

    def store(batch: BatchRows, at: Mapping[str, Any]) -> None:
        database.execute("BEGIN IMMEDIATE")
        database.executemany(PUT, list(batch.submissions.values()))
        database.executemany("INSERT OR REPLACE INTO contents VALUES (?,?)", batch.contents)
        database.executemany("INSERT OR IGNORE INTO history VALUES (?,?,?,?)", batch.history)
        database.execute(COUNT, (len(batch.contents),))
        database.execute("UPDATE positions SET positions = ?", (json.dumps(at),))
        database.execute("COMMIT")

    return store
