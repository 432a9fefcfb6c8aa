"""The ops port of workers and projector: /live, /ready and /metrics, on uvicorn inside the service's own loop."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry

from shared.errors import TopicflowError
from shared.observability.prometheus import exposition
from shared.service.sockets import listen
from shared.settings import OpsSettings

PATIENCE = 2.0  # seconds for all checks
Check = Callable[[], Awaitable[object]]
Answer = tuple[int, bytes, str]


class Ops:
    """A plain ASGI app. While the service is not ready, one of `checks` raises a TopicflowError with the reason;
    without checks it is starting. `before_scrape` updates gauges that are read only for a scrape."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.checks: Sequence[Check] = ()
        self.before_scrape: Callable[[], None] | None = None
        self._registry = registry

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
        status, body, content_type = await self._answer(scope["path"], accept)
        headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, path: str, accept: str) -> Answer:
        match path:
            case "/live":
                return _json(200, "ok")
            case "/ready":
                why_not = await self._why_not_ready()
                return _json(503, "unavailable", reason=why_not) if why_not else _json(200, "ok")
            case "/metrics":
                if self.before_scrape:
                    self.before_scrape()
                return 200, *exposition(self._registry, accept)
        return _json(404, "not found", reason="this port serves /live, /ready and /metrics")

    async def _why_not_ready(self) -> str | None:
        if not self.checks:
            return "starting"
        try:
            async with asyncio.timeout(PATIENCE):
                for check in self.checks:
                    await check()
        except TimeoutError:
            return f"no answer within {PATIENCE:.0f} s"
        except TopicflowError as error:
            return str(error)
        return None


def _json(code: int, status: str, **more: str) -> Answer:
    return code, json.dumps({"status": status, **more}).encode(), "application/json"


@asynccontextmanager
async def serving(ops: Ops, settings: OpsSettings) -> AsyncIterator[None]:
    """Serve while the body runs, if a port is set. Raises CannotListen."""
    if settings.ops_port is None:
        yield
        return
    listening = listen(settings.ops_host, settings.ops_port, "TOPICFLOW_OPS_PORT")
    config = uvicorn.Config(
        ops,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([listening]), name="ops port")
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait([running])
