"""A transaction a batch: the position by compare-and-set, one statement for what changes, COPY for what is new."""

import json
from collections.abc import Mapping
from itertools import count
from typing import Any

import psycopg

from bench.baseline.events import BatchRows, Store

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
KEEP = "COPY contents FROM STDIN"
TELL = "COPY history FROM STDIN"
COUNT = """
    INSERT INTO status_counts VALUES ('completed', %s)
    ON CONFLICT (status) DO UPDATE SET submissions = status_counts.submissions + excluded.submissions
"""


def opened(url: str) -> Store:
    database = psycopg.connect(url, prepare_threshold=0)
    database.execute(TABLES, prepare=False)
    database.commit()
    versions = count()

    def store(batch: BatchRows, at: Mapping[str, Any]) -> None:
        with database.transaction():
            assert database.execute(MOVE, (json.dumps(at), next(versions))).rowcount == 1
            columns = zip(*batch.submissions.values(), strict=True)
            database.execute(PUT, [list(column) for column in columns], binary=True)
            for statement, rows in ((KEEP, batch.contents), (TELL, batch.history)):
                with database.cursor().copy(statement) as copy:
                    for row in rows:
                        copy.write_row(row)
            database.execute(COUNT, (len(batch.contents),))

    return store
