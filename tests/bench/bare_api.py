"""The limit of accepting: an ASGI app by hand on the same server, that stores titles with one write a request.

`python -m bench.bare_api PORT`: no checks, no callers, no limits, no look at what is known already.
"""

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha1
from typing import Any, Protocol

import uvicorn

from bench.bare_kafka import BareKafka
from bench.bare_redis import BareRedis

TYPE = "topicflow.TopicSubmitted.v1"
Event = tuple[str, dict[str, str], str]  # key, headers, JSON


class BareBroker(Protocol):
    async def store(self, stream: str, events: Sequence[Event]) -> None:
        """Returns when all are stored."""


class BareApi:
    def __init__(self, broker_url: str) -> None:
        self._broker_url = broker_url
        self._broker: BareBroker | None = None

    async def __call__(self, _: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        answer = await self._store(json.loads(body)["topics"]) if body else b"{}"
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 202 if body else 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _store(self, titles: list[str]) -> bytes:
        now = datetime.now(UTC).isoformat()
        events: list[Event] = []
        topics = []
        for title in titles:
            id_ = sha1(title.encode()).hexdigest()
            data = json.dumps({"id": id_, "attempt": 1, "title": title, "submitted_at": now, "submitted_by": "bench"})
            headers = {"ce_specversion": "1.0", "ce_source": "bench", "ce_type": TYPE, "ce_id": id_, "ce_subject": id_}
            events.append((id_, headers | {"ce_time": now}, data))
            topics.append({"id": id_, "title": title, "status": "pending"})
        self._broker = self._broker or await self._connected()
        await self._broker.store("topic-submissions", events)
        return json.dumps({"total_topics": len(topics), "topics": topics}).encode()

    async def _connected(self) -> BareBroker:
        kind = BareKafka if self._broker_url.startswith("kafka:") else BareRedis
        return await kind.connect(self._broker_url)


if __name__ == "__main__":
    app = BareApi(os.environ["TOPICFLOW_BROKER_URL"])
    uvicorn.run(app, port=int(sys.argv[1]), lifespan="off", access_log=False, log_level="warning")
