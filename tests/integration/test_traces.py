"""One trace from POST to projection, as an OTLP collector sees it, and services that do not notice when it is away."""

import sys
from pathlib import Path

import pytest
from eventually import eventually
from integration.api import Api, started
from integration.observed import Observed
from otlp_collector import Span
from servers import Deployment, GeminiStandIn, Process, ValkeyServer, free_port

SERVER, CLIENT, CONSUMER = 2, 3, 5
THEIRS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def spans_of(observed: Observed, id_: str, *names: str) -> dict[str, Span]:
    """Of one submission, by name, once all are there."""

    def are_there() -> dict[str, Span] | None:
        found = {span.name: span for span in observed.collector.of_submission(id_)}
        return found if found.keys() >= set(names) else None

    return await eventually(are_there, within=10)


async def the_one(observed: Observed, kind: int, beside: Span) -> Span:
    """The only one of its kind in a trace; each service sends its spans when it likes."""
    [found] = await eventually(lambda: [s for s in observed.trace(beside) if s.kind == kind], within=10)
    return found


HANDLING = "process topic-submissions"
PROJECTED = ("project TopicSubmitted", "project SubmissionStarted", "project SubmissionCompleted")


async def test_a_post_is_one_trace_through_all_services(observed: Observed) -> None:
    id_ = (await observed.api.submit("One trace"))["topics"][0]["id"]
    await observed.api.ended(id_)
    of = await spans_of(observed, id_, HANDLING, *PROJECTED)
    request = await the_one(observed, SERVER, of[HANDLING])
    call = await the_one(observed, CLIENT, of[HANDLING])
    assert (request.service, request.name, request.parent) == ("api", "POST /api/v1/topics", "")
    assert request.attributes["http.response.status_code"] == 202
    handling = of[HANDLING]
    assert (handling.service, handling.kind, handling.parent) == ("topic-worker", CONSUMER, request.id)
    assert (handling.attributes["topicflow.end"], handling.attributes["topicflow.attempt"]) == ("completed", 1)
    assert (call.service, call.name, call.parent) == ("topic-worker", "generate_content", handling.id)
    assert call.attributes["gen_ai.usage.output_tokens"] > 0
    assert {of[name].service for name in PROJECTED} == {"status-projector"}
    assert of["project TopicSubmitted"].parent == request.id
    assert of["project SubmissionStarted"].parent == of["project SubmissionCompleted"].parent == handling.id
    assert not any(span.failed for span in observed.trace(request))


async def test_a_trace_that_a_client_began_goes_on(observed: Observed) -> None:
    headers = {"traceparent": THEIRS}
    answer = await observed.api.ask("POST", "/topics", json={"topics": ["Began elsewhere"]}, headers=headers)
    of = await spans_of(observed, answer.json()["topics"][0]["id"], HANDLING, *PROJECTED)
    request = await the_one(observed, SERVER, of[HANDLING])
    assert (request.trace, request.parent) == tuple(THEIRS.split("-")[1:3])


@pytest.mark.parametrize("traceparent", ["", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01", THEIRS + "-more"])
async def test_what_is_no_traceparent_begins_a_trace_of_ours(observed: Observed, traceparent: str) -> None:
    title = f"After {traceparent}"
    headers = {"traceparent": traceparent}
    answer = await observed.api.ask("POST", "/topics", json={"topics": [title]}, headers=headers)
    of = await spans_of(observed, answer.json()["topics"][0]["id"], HANDLING)
    request = await the_one(observed, SERVER, of[HANDLING])
    assert request.parent == ""


async def test_what_a_client_does_not_record_is_not_recorded(observed: Observed) -> None:
    headers = {"traceparent": THEIRS.replace("0af7", "ffff").removesuffix("01") + "00"}
    answer = await observed.api.ask("POST", "/topics", json={"topics": ["Not recorded"]}, headers=headers)
    unrecorded = answer.json()["topics"][0]["id"]
    recorded = (await observed.api.submit("Recorded"))["topics"][0]["id"]
    await observed.api.ended(unrecorded, recorded)
    await spans_of(observed, recorded, HANDLING, *PROJECTED)
    assert observed.collector.of_submission(unrecorded) == []
    assert not any(span.trace.startswith("ffff") for span in observed.collector.spans)


async def test_a_shared_call_is_the_child_of_one_submission_and_linked_to_the_others(observed: Observed) -> None:
    observed.deployment.gemini.take(0.3)
    topics = [topic["id"] for topic in (await observed.api.submit(*(f"Shared {n}" for n in range(5))))["topics"]]
    await observed.api.ended(*topics)
    observed.deployment.gemini.take(0)
    handled = [(await spans_of(observed, id_, HANDLING))[HANDLING] for id_ in topics]
    ids = {span.id for span in handled}
    shared = await the_one(observed, CLIENT, handled[0])
    assert shared.attributes["topicflow.titles"] == 5
    assert {shared.parent, *shared.links} == ids
    assert shared.parent not in shared.links


async def test_a_failed_submission_is_a_failed_span_with_its_code(observed: Observed) -> None:
    observed.deployment.gemini.tell("block", title_contains="Blocked in a trace")
    id_ = (await observed.api.submit("Blocked in a trace"))["topics"][0]["id"]
    of = await spans_of(observed, id_, HANDLING, "project SubmissionFailed")
    assert of[HANDLING].failed
    assert of[HANDLING].attributes["error.type"] == "blocked"
    assert of["project SubmissionFailed"].parent == of[HANDLING].id


async def test_probes_and_scrapes_are_no_spans(observed: Observed) -> None:
    for path in ("/live", "/ready", "/health", "/metrics"):
        assert (await observed.api.http.get(path)).is_success
    of = await spans_of(observed, (await observed.api.submit("After the probes"))["topics"][0]["id"], HANDLING)
    await the_one(observed, SERVER, of[HANDLING])
    routes = {span.attributes["http.route"] for span in observed.collector.spans if span.kind == SERVER}
    assert "/api/v1/topics" in routes
    assert not routes & {"/live", "/ready", "/health", "/metrics"}


async def test_a_copy_at_the_tail_keeps_the_trace(observed: Observed, tmp_path: Path, valkey: ValkeyServer) -> None:
    gemini = GeminiStandIn(tmp_path)
    gemini.start()
    settings = observed.collector.settings | {"TOPICFLOW_HELD_SECONDS": "0.2"}
    deployed = Deployment(tmp_path, valkey, gemini, settings)
    try:
        for service in ("api", "status-projector", "topic-worker"):
            deployed.add(service)
        async with deployed.client() as client:
            api = await Api(deployed, client).ready()
            gemini.tell("503", times=3)
            id_ = (await api.submit("Waits too long"))["topics"][0]["id"]
            await api.ended(id_)
        of = await spans_of(observed, id_, HANDLING, "project SubmissionCompleted")
        handled = [span for span in observed.collector.of_submission(id_) if span.name == HANDLING]
        ends = [span.attributes["topicflow.end"] for span in handled]
        assert ends[0] == "requeued"
        assert ends[-1] == "completed"
        assert [span.parent for span in handled[1:]] == [span.id for span in handled[:-1]]
        assert of["project SubmissionCompleted"].parent == handled[-1].id
    finally:
        deployed.end()


async def test_what_was_recorded_is_sent_when_a_service_stops(observed: Observed, tmp_path: Path) -> None:
    later = observed.collector.settings | {"OTEL_BSP_SCHEDULE_DELAY": "600000"}
    deployed = started(tmp_path, **later)
    try:
        async with deployed.client() as client:
            api = await Api(deployed, client).ready()
            id_ = (await api.submit("Sent at the end"))["topics"][0]["id"]
            await api.ended(id_)
        assert observed.collector.of_submission(id_) == []
        for process in deployed.services.values():
            process.stop(within=10)
        of = await spans_of(observed, id_, HANDLING, *PROJECTED)
        assert (await the_one(observed, SERVER, of[HANDLING])).service == "api"
    finally:
        deployed.end()


async def test_without_a_collector_that_answers_all_works_and_it_is_said_once(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    soon = {"OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_EXPORTER_OTLP_TIMEOUT": "0.3"}
    deployed = started(tmp_path, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{nobody}/v1/traces", **soon)
    try:
        async with deployed.client() as client:
            api = await Api(deployed, client).ready()
            for n in range(5):
                await api.ended((await api.submit(f"Nobody records {n}"))["topics"][0]["id"])
            worker = deployed.services["topic-worker-1"]
            await eventually(lambda: "spans are lost" in worker.said, within=10)
        for process in deployed.services.values():
            assert process.stop(within=10) in {0, -15}
            warnings = [line for line in process.said.splitlines() if '"warning"' in line or '"error"' in line]
            assert len([line for line in warnings if "spans are lost" in line]) == 1
            assert not [line for line in process.said.splitlines() if "opentelemetry" in line]
            assert not [line for line in process.said.splitlines() if nobody.removeprefix("http://") in line]
    finally:
        deployed.end()


async def test_without_an_endpoint_nothing_of_the_sdk_is_imported(tmp_path: Path) -> None:
    code = "import sys, api.app, topic_worker.app, status_projector.app; from shared import tracing"
    code += (
        "; tracing.set_up('a', 'b'); print([m for m in sys.modules if 'opentelemetry.sdk.trace' in m or 'otlp' in m])"
    )
    process = Process([sys.executable, "-c", code], tmp_path / "imports.log")
    process.start()
    assert process.running
    assert process.running.wait(60) == 0
    assert process.said == "[]\n"
