"""The limit of accepting: an ASGI app by hand on the same server, that stores titles with one pipeline a request.

`python -m bench.bare_api PORT`: no checks, no callers, no limits, no look at what is known already.
"""

import json
import os
import sys
from datetime import UTC, datetime
from hashlib import sha1
from typing import Any

import uvicorn
from redis.asyncio import Redis

SUBMISSIONS = "topic-submissions"
HEADERS = {"ce_specversion": "1.0", "ce_type": "topicflow.TopicSubmitted.v1", "ce_source": "bench"}


class BareApi:
    def __init__(self, broker: Redis) -> None:
        self._broker = broker

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
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
        pipeline = self._broker.pipeline(transaction=False)
        topics = []
        for title in titles:
            id_ = sha1(title.encode()).hexdigest()
            data = json.dumps({"id": id_, "attempt": 1, "title": title, "submitted_at": now, "submitted_by": "bench"})
            entry: Any = HEADERS | {"ce_id": id_, "ce_subject": id_, "ce_time": now, "data": data}
            pipeline.xadd(SUBMISSIONS, entry)
            topics.append({"id": id_, "title": title, "status": "pending"})
        await pipeline.execute()
        return json.dumps({"total_topics": len(topics), "topics": topics}).encode()


if __name__ == "__main__":
    app = BareApi(Redis.from_url(os.environ["TOPICFLOW_BROKER_URL"]))
    uvicorn.run(app, port=int(sys.argv[1]), lifespan="off", access_log=False, log_level="warning")
