"""The limit: the same pipeline written by hand for nothing but speed, in as many processes.

`python -m bench.hand_written worker|projector`: reads by the batch, settles by pipeline, projects with prepared
statements. No tries, no outages, no duplicates, no history of errors: what is left is what broker, disk and Python
cost.
"""

import json
import os
import sqlite3
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import redis

from bench.card import answer

GROUP, SUBMISSIONS, OUTCOMES = "topic-worker", "topic-submissions", "submission-outcomes"
RANKS = {"topicflow.SubmissionStarted.v1": 1, "topicflow.SubmissionCompleted.v1": 3}


def worker(broker: redis.Redis) -> None:
    while True:
        found: Any = broker.xreadgroup(GROUP, "hand", {SUBMISSIONS: ">"}, count=30, block=1000)
        for _, entries in found or ():
            pipeline = broker.pipeline()
            submitted = [(entry, json.loads(fields[b"data"])) for entry, fields in entries]
            for at in range(0, len(submitted), 5):
                items = [{"id": s["id"], "title": s["title"]} for _, s in submitted[at : at + 5]]
                cards = {card["id"]: card for card in json.loads(answer(json.dumps(items)))}
                for _, s in submitted[at : at + 5]:
                    _say(pipeline, "SubmissionStarted", s, {})
                    _say(pipeline, "SubmissionCompleted", s, {"content": cards[s["id"]]})
            pipeline.xack(SUBMISSIONS, GROUP, *(entry for entry, _ in entries))
            pipeline.execute()


def _say(pipeline: Any, event: str, submitted: dict[str, Any], more: dict[str, Any]) -> None:
    data = json.dumps({"id": submitted["id"], "attempt": 1, "kind": "topic", "title": submitted["title"], **more})
    headers = {"ce_id": str(uuid4()), "ce_type": f"topicflow.{event}.v1", "ce_time": datetime.now(UTC).isoformat()}
    pipeline.xadd(OUTCOMES, {**headers, "data": data})


def projector(broker: redis.Redis, path: str) -> None:
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript(
        """
        PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;
        CREATE TABLE submissions (id TEXT PRIMARY KEY, title TEXT, rank INT, status TEXT, at TEXT);
        CREATE TABLE contents (id TEXT PRIMARY KEY, content TEXT);
        CREATE TABLE history (event_id TEXT PRIMARY KEY, id TEXT, event TEXT, at TEXT);
        CREATE TABLE status_counts (status TEXT PRIMARY KEY, submissions INT);
        CREATE TABLE positions (partition INT PRIMARY KEY, submissions TEXT, outcomes TEXT);
        INSERT INTO positions VALUES (0, '0-0', '0-0');
        """
    )
    at = {SUBMISSIONS: "0-0", OUTCOMES: "0-0"}
    while True:
        found: Any = broker.xread(at, count=1000, block=1000)  # type: ignore[arg-type]  # str keys are fine
        rows: dict[str, tuple[str, str, int, str, str]] = {}
        contents, history = [], []
        for name, entries in found or ():
            at[name.decode()] = entries[-1][0].decode()
            for _, fields in entries:
                event, data = fields[b"ce_type"].decode(), json.loads(fields[b"data"])
                rank = RANKS.get(event, 0)
                if rank >= rows.get(data["id"], ("", "", -1, "", ""))[2]:
                    rows[data["id"]] = (data["id"], data["title"], rank, event, fields[b"ce_time"].decode())
                if rank == 3:
                    contents.append((data["id"], json.dumps(data["content"])))
                history.append((fields[b"ce_id"].decode(), data["id"], event, fields[b"ce_time"].decode()))
        if not rows:
            continue
        database.execute("BEGIN IMMEDIATE")
        database.executemany(
            "INSERT INTO submissions VALUES (?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET rank=excluded.rank,"
            " status=excluded.status, at=excluded.at WHERE excluded.rank >= rank",
            list(rows.values()),
        )
        database.executemany("INSERT OR REPLACE INTO contents VALUES (?,?)", contents)
        database.executemany("INSERT OR IGNORE INTO history VALUES (?,?,?,?)", history)
        database.execute(
            "INSERT INTO status_counts VALUES ('completed', ?) ON CONFLICT (status) DO UPDATE"
            " SET submissions = submissions + excluded.submissions",
            (len(contents),),
        )
        database.execute("UPDATE positions SET submissions=?, outcomes=?", tuple(at.values()))
        database.execute("COMMIT")


if __name__ == "__main__":
    connection = redis.Redis.from_url(os.environ["TOPICFLOW_BROKER_URL"])
    if sys.argv[1] == "worker":
        worker(connection)
    else:
        projector(connection, os.environ["BENCH_DATABASE"])
