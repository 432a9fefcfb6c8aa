"""The limit of accepting: an ASGI app by hand on the same server, that stores titles with one write a request.

`python -m bench.bare_api PORT`: no checks, no callers, no limits, no look at what is known already.
"""

import json
import os
import sys
from datetime import UTC, datetime
from hashlib import sha1
from typing import Any

import uvicorn

from bench.bare_broker import BareBroker

XADD = ("XADD", "topic-submissions", "*", "ce_specversion", "1.0", "ce_source", "bench", "ce_type")
TYPE = "topicflow.TopicSubmitted.v1"


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
        self._broker = self._broker or await BareBroker.connect(self._broker_url)
        now = datetime.now(UTC).isoformat()
        commands, topics = [], []
        for title in titles:
            id_ = sha1(title.encode()).hexdigest()
            data = json.dumps({"id": id_, "attempt": 1, "title": title, "submitted_at": now, "submitted_by": "bench"})
            commands.append((*XADD, TYPE, "ce_id", id_, "ce_subject", id_, "ce_time", now, "data", data))
            topics.append({"id": id_, "title": title, "status": "pending"})
        await self._broker.send(commands)
        return json.dumps({"total_topics": len(topics), "topics": topics}).encode()


if __name__ == "__main__":
    app = BareApi(os.environ["TOPICFLOW_BROKER_URL"])
    uvicorn.run(app, port=int(sys.argv[1]), lifespan="off", access_log=False, log_level="warning")
