"""Reads by the batch, settles by pipeline."""

from typing import Any

import redis

from bench.baseline.events import GROUP, OUTCOMES, SUBMISSIONS, Store, Told, outcomes


def work(url: str) -> None:
    broker = redis.Redis.from_url(url)
    while True:
        found: Any = broker.xreadgroup(GROUP, "hand", {SUBMISSIONS: ">"}, count=30, block=1000)
        for _, entries in found or ():
            pipeline = broker.pipeline()
            for _, headers, data in outcomes([fields[b"data"] for _, fields in entries]):
                said: dict[Any, Any] = {**headers, "data": data}
                pipeline.xadd(OUTCOMES, said)
            pipeline.xack(SUBMISSIONS, GROUP, *(entry for entry, _ in entries))
            pipeline.execute()


def project(url: str, store: Store) -> None:
    broker = redis.Redis.from_url(url)
    at = {SUBMISSIONS: "0-0", OUTCOMES: "0-0"}
    while True:
        found: Any = broker.xread(at, count=1000, block=1000)  # type: ignore[arg-type]  # str keys are fine
        told = Told()
        for name, entries in found or ():
            at[name.decode()] = entries[-1][0].decode()
            for _, fields in entries:
                told.add(fields[b"ce_type"], fields[b"ce_id"], fields[b"ce_time"], fields[b"data"])
        if told.history:
            store(told, at)
