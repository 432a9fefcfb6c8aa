"""Topics per second from a full stream until all are projected."""

import asyncio
import time
from datetime import UTC, datetime

import redis

from bench.setting import setting
from shared.events import TopicSubmitted, topic_id
from shared.transport.redis_streams import RedisTransport
from shared.wire import encode

LIMIT_SECONDS = 120


def drain(llm: str, topics: int) -> float:
    """Topics a second, from the first outcome that the broker stored to the last topic that the projection counts."""
    with setting() as run:
        asyncio.run(_fill(run.valkey.url, topics))
        run.start_workers(llm)
        deadline = time.monotonic() + LIMIT_SECONDS
        while run.completed() < topics:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{run.completed()} of {topics} after {LIMIT_SECONDS} s, LLM {llm}")
            time.sleep(0.02)
        ended = time.time()
        with redis.Redis.from_url(run.valkey.url) as broker:
            first = int(broker.xrange("submission-outcomes", count=1)[0][0].split(b"-")[0])
    return topics / (ended - first / 1000)


async def _fill(url: str, topics: int) -> None:
    transport = RedisTransport(url)
    await transport.provision()
    now = datetime.now(UTC)
    records = [
        encode(
            TopicSubmitted(id=topic_id(title), attempt=1, title=title, submitted_at=now, submitted_by="bench"),
            source="bench",
        )
        for title in (f"Benchmark topic number {n}" for n in range(topics))
    ]
    await transport.publish(records)
    await transport.close()
