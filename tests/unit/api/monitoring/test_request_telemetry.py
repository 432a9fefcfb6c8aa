"""A request that ends in a bug: one log line and one answer, or raised if the answer has started."""

from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx
import pytest
from fastapi.responses import StreamingResponse
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from api.app import build
from api.monitoring.request_telemetry import RequestTelemetry


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client of an API with two failing routes."""
    app = build()

    @app.get("/api/v1/breaks")
    async def breaks() -> None:
        raise RuntimeError("a bug")

    @app.get("/api/v1/breaks-off")
    async def breaks_off() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"the first half, "
            raise RuntimeError("a bug in the middle")

        return StreamingResponse(chunks())

    app.state.resources = SimpleNamespace(access=SimpleNamespace(needs_key=False, allowed_origins=(), keys=None))
    transport = httpx.ASGITransport(RequestTelemetry(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def test_a_bug_is_one_line_with_its_request_and_its_traceback(client: httpx.AsyncClient) -> None:
    with capture_logs(processors=[merge_contextvars]) as lines:
        answer = await client.get("/api/v1/breaks")
    assert answer.status_code == 500
    [line] = [line for line in lines if line["log_level"] == "error"]
    assert line["event"] == "request_failed"
    assert line["request_id"] == answer.headers["x-request-id"]
    assert str(line["exc_info"]) == "a bug"


async def test_an_error_in_a_started_answer_is_raised(client: httpx.AsyncClient) -> None:
    with pytest.raises(RuntimeError, match="in the middle"):
        await client.get("/api/v1/breaks-off")
