"""Creates database files of the old system: both versions of `topic_status`, every kind of row."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

TOPICS = """
    CREATE TABLE topics (
        id INTEGER PRIMARY KEY, title TEXT NOT NULL, description TEXT, category TEXT, subcategory TEXT, company TEXT,
        technologies TEXT, complexity_level TEXT, tags TEXT, related_topics TEXT, metrics TEXT,
        implementation_details TEXT, learning_objectives TEXT, difficulty INTEGER, estimated_read_time TEXT,
        prerequisites TEXT, created_date TEXT, updated_date TEXT, generated_at TIMESTAMP, source TEXT,
        status TEXT DEFAULT 'something else', embedding BLOB
    )
"""
OLDER = """
    CREATE TABLE topic_status (
        id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT, status TEXT, error_message TEXT,
        created_at TIMESTAMP, updated_at TIMESTAMP
    )
"""
NEWER = """
    CREATE TABLE topic_status (
        id INTEGER PRIMARY KEY AUTOINCREMENT, original_title TEXT UNIQUE, current_title TEXT, status TEXT,
        error_message TEXT, created_at TIMESTAMP, updated_at TIMESTAMP
    )
"""


def old_card(title: str, **columns: Any) -> dict[str, Any]:
    """The columns of a completed row, as they were stored."""
    return {
        "title": title,
        "description": f"What {title} is.",
        "category": "databases",
        "subcategory": "storage",
        "company": "n/a",  # not allowed in cards today
        "technologies": json.dumps(["B-trees", "LSM trees"]),
        "complexity_level": "expert",
        "tags": "plain, text",
        "related_topics": "",
        "metrics": json.dumps({"scale": "big", "latency": "low"}),
        "implementation_details": json.dumps({"storage": "on disk"}),
        "learning_objectives": json.dumps(["know it"]),
        "difficulty": 11,
        "estimated_read_time": "5 minutes",
        "prerequisites": "[",
        "created_date": "2024-01-02",
        "updated_date": "2024-01-03",
        "generated_at": "2024-01-03 04:05:06",
        "source": "gemini",
        **columns,
    }


class OldFile:
    def __init__(self, path: Path, status_table: str = NEWER, topics_table: str = TOPICS) -> None:
        self.path = path
        self.is_newer = status_table == NEWER
        self._execute(topics_table)
        self._execute(status_table)

    def topic(self, id_: int, title: str, **columns: Any) -> "OldFile":
        return self._insert("topics", {"id": id_, **old_card(title), **columns})

    def status(self, title: str, status: str, current: str | None = None) -> "OldFile":
        """`current`: the title as the model rewrote it, in newer files."""
        titles = {"original_title": title, "current_title": current or title} if self.is_newer else {"title": title}
        times = {"created_at": "2024-01-01 00:00:00", "updated_at": "2024-01-05 00:00:00"}
        return self._insert("topic_status", {**titles, "status": status, "error_message": "quota", **times})

    def completed(self, count: int, title: str = "Old topic {n}", **columns: Any) -> "OldFile":
        """Many at once, numbered from 1."""
        names = ["id", *old_card(""), *(name for name in columns if name not in old_card(""))]
        rows = [{"id": n, **old_card(title.format(n=n)), **columns} for n in range(1, count + 1)]
        with closing(sqlite3.connect(self.path)) as connection, connection:
            sql = f"INSERT INTO topics ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
            connection.executemany(sql, [[row[name] for name in names] for row in rows])
        return self

    def _insert(self, table: str, row: dict[str, Any]) -> "OldFile":
        self._execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", *row.values())
        return self

    def _execute(self, sql: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(sql, values)
