"""Reads by the batch, settles by pipeline."""

from typing import Any

import redis

from bench.baseline.events import GROUP, OUTCOMES, SUBMISSIONS, BatchRows, Store, outcomes


def work(url: str) -> None:
    broker = redis.Redis.from_url(url)
    while True:
        found: Any = broker.xreadgroup(GROUP, "hand", {SUBMISSIONS: ">"}, count=30, block=1000)
        for _, entries in found or ():
            pipeline = broker.pipeline()
            for _, headers, data in outcomes([fields[b"data"] for _, fields in entries]):
                entry: dict[Any, Any] = {**headers, "data": data}
                pipeline.xadd(OUTCOMES, entry)
            pipeline.xack(SUBMISSIONS, GROUP, *(id_ for id_, _ in entries))
            pipeline.execute()


def project(url: str, store: Store) -> None:
    broker = redis.Redis.from_url(url)
    at = {SUBMISSIONS: "0-0", OUTCOMES: "0-0"}
    while True:
        found: Any = broker.xread(at, count=1000, block=1000)  # type: ignore[arg-type]  # str keys are fine
        batch = BatchRows()
        for name, entries in found or ():
            at[name.decode()] = entries[-1][0].decode()
            for _, fields in entries:
                batch.add(fields[b"ce_type"], fields[b"ce_id"], fields[b"ce_time"], fields[b"data"])
        if batch.history:
            store(batch, at)
