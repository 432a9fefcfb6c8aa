"""The projector of `hand_written.py` on PostgreSQL: a statement for each set, the position by compare-and-set."""

import json
import os
from typing import Any

import psycopg
import redis

from bench.hand_written import OUTCOMES, RANKS, SUBMISSIONS

TABLES = """
    CREATE TABLE submissions (id text PRIMARY KEY, title text, rank int, status text, at timestamptz);
    CREATE TABLE contents (id text PRIMARY KEY, content text);
    CREATE TABLE history (event_id text PRIMARY KEY, id text, event text, at timestamptz);
    CREATE TABLE status_counts (status text PRIMARY KEY, submissions bigint);
    CREATE TABLE positions (partition int PRIMARY KEY, version bigint, positions json);
    INSERT INTO positions VALUES (0, 0, '{}');
    SET enable_seqscan TO off; SET enable_hashjoin TO off; SET plan_cache_mode TO force_generic_plan;
    SET synchronous_commit TO off;
"""
MOVE = "UPDATE positions SET version = version + 1, positions = %s WHERE partition = 0 AND version = %s"
PUT = """
    INSERT INTO submissions SELECT * FROM unnest(%s::text[], %s::text[], %s::int[], %s::text[], %s::timestamptz[])
    ON CONFLICT (id) DO UPDATE SET rank = excluded.rank, status = excluded.status, at = excluded.at
    WHERE excluded.rank >= submissions.rank
"""
KEEP = "INSERT INTO contents SELECT * FROM unnest(%s::text[], %s::text[]) ON CONFLICT (id) DO NOTHING"
TELL = """
    INSERT INTO history SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[])
    ON CONFLICT DO NOTHING
"""
COUNT = """
    INSERT INTO status_counts VALUES ('completed', %s)
    ON CONFLICT (status) DO UPDATE SET submissions = status_counts.submissions + excluded.submissions
"""


def main(broker: redis.Redis, database: psycopg.Connection[Any]) -> None:
    database.execute(TABLES, prepare=False)
    database.commit()
    at, version = {SUBMISSIONS: "0-0", OUTCOMES: "0-0"}, 0
    while True:
        found: Any = broker.xread(at, count=2000, block=1000)  # type: ignore[arg-type]  # str keys are fine
        rows: dict[str, tuple[str, str, int, str, str]] = {}
        contents, history = [], []
        for name, entries in found or ():
            at[name.decode()] = entries[-1][0].decode()
            for _, fields in entries:
                event, data = fields[b"ce_type"].decode(), json.loads(fields[b"data"])
                rank, time = RANKS.get(event, 0), fields[b"ce_time"].decode()
                if rank >= rows.get(data["id"], ("", "", -1, "", ""))[2]:
                    rows[data["id"]] = (data["id"], data["title"], rank, event, time)
                if rank == 3:
                    contents.append((data["id"], json.dumps(data["content"])))
                history.append((fields[b"ce_id"].decode(), data["id"], event, time))
        if not rows:
            continue
        with database.transaction():
            assert database.execute(MOVE, (json.dumps(at), version)).rowcount == 1
            for statement, told in ((PUT, list(rows.values())), (KEEP, contents), (TELL, history)):
                if told:
                    database.execute(statement, [list(column) for column in zip(*told, strict=True)], binary=True)
            database.execute(COUNT, (len(contents),))
        version += 1


if __name__ == "__main__":
    with psycopg.connect(os.environ["BENCH_DATABASE"], prepare_threshold=0) as connection:
        main(redis.Redis.from_url(os.environ["TOPICFLOW_BROKER_URL"]), connection)
