"""The log files of services: every line has its origin, one format and no secret."""

import asyncio
import json

from eventually import eventually
from integration.api import Json
from integration.observed import SECRET, Observed
from servers import LOOPBACK


async def lines_of(observed: Observed, service: str, **having: object) -> list[Json]:
    return await eventually(lambda: observed.lines(service, **having), within=10)


async def test_a_failed_submission_is_one_line_with_its_code_and_reason(observed: Observed) -> None:
    observed.deployment.gemini.add_fault("block", title_contains="Refused in the log")
    id_ = (await observed.api.submit("Refused in the log"))["topics"][0]["id"]
    await observed.api.ended(id_, as_="failed")
    [line] = [line for line in await lines_of(observed, "topic-worker", submission=id_) if line["level"] == "info"]
    assert (line["event"], line["end"], line["code"]) == ("submission_ended", "failed", "blocked")
    assert line["reason"].startswith("Gemini blocked the request or its answer")
    assert (line["attempt"], line["service"], line["instance"]) == (1, "topic-worker", "topic-worker-1")


async def test_every_line_of_a_delivery_has_its_submission_run_and_trace(observed: Observed) -> None:
    topics = (await observed.api.submit(*(f"Named in the log {n}" for n in range(7))))["topics"]
    await observed.api.ended(*(topic["id"] for topic in topics))
    for topic in topics:
        lines = await lines_of(observed, "topic-worker", submission=topic["id"])
        assert [line["event"] for line in lines if line["event"] == "submission_ended"] == ["submission_ended"]
        assert len({(line["run"], line["attempt"], line["trace_id"]) for line in lines}) == 1
    ids = {topic["id"] for topic in topics}
    answered = [line for line in observed.lines("topic-worker", event="gemini_answered") if line["submission"] in ids]
    sharing = [{line["submission"], *line.get("shared_with", ())} for line in answered]
    assert sorted(map(len, sharing)) == [2, 5]
    assert set.union(*sharing) == ids


async def test_lines_outside_a_delivery_have_no_submission_and_trace(observed: Observed) -> None:
    """Tasks started during the first delivery do not inherit its context."""
    await observed.api.ended((await observed.api.submit("The first of its context"))["topics"][0]["id"])
    observed.deployment.gemini.add_fault("503", times=1)
    id_ = (await observed.api.submit("Not the first"))["topics"][0]["id"]
    await observed.api.ended(id_)
    waiting = observed.lines("topic-worker", event="circuit_opened", reason="unavailable")
    assert waiting[-1]["submission"] == id_
    for event in ("gemini_reachable", "provisioned"):
        for line in observed.lines("topic-worker", event=event):
            assert "submission" not in line
            assert "trace_id" not in line


async def test_the_request_id_is_in_the_log_line_and_in_the_answer(observed: Observed) -> None:
    first, second = [await observed.api.ask("GET", f"/topics/{name}") for name in ("one", "two")]
    ids = [answer.headers["x-request-id"] for answer in (first, second)]
    assert ids[0] != ids[1]
    for id_, name in zip(ids, ("one", "two"), strict=True):
        [line] = await lines_of(observed, "api", request_id=id_)
        assert (line["event"], line["path"], line["status"]) == ("request", f"/api/v1/topics/{name}", 404)
        assert len(line["trace_id"]) == 32


async def test_log_lines_of_libraries_have_the_same_format(observed: Observed) -> None:
    for service, port in observed.ports.items():
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.write(b"this is not HTTP\r\n\r\n")
        await reader.read()
        writer.close()
        [line, *_] = await lines_of(observed, service, logger="uvicorn.error")
        assert line["event"] == "Invalid HTTP request received."
        assert line.keys() >= {"level", "timestamp", "service", "instance"}
        assert line["service"] == service


async def test_every_line_is_json_and_holds_no_secret(observed: Observed) -> None:
    observed.deployment.gemini.add_fault("401", times=1)
    await observed.api.ended((await observed.api.submit("With a key that is refused"))["topics"][0]["id"])
    for process in observed.deployment.services.values():
        assert SECRET not in process.output
        for line in process.output.splitlines():
            assert json.loads(line).keys() >= {"event", "level", "timestamp", "service", "instance"}
