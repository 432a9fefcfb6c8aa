"""One trace from POST to projection, as received by an OTLP collector."""

import pytest
from integration.observed import Observed
from integration.traces import CLIENT, CONSUMER, HANDLING, PROJECTED, SERVER, spans_of, the_one

THEIRS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


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


async def test_a_trace_started_by_a_client_continues(observed: Observed) -> None:
    headers = {"traceparent": THEIRS}
    answer = await observed.api.ask("POST", "/topics", json={"topics": ["Began elsewhere"]}, headers=headers)
    of = await spans_of(observed, answer.json()["topics"][0]["id"], HANDLING, *PROJECTED)
    request = await the_one(observed, SERVER, of[HANDLING])
    assert (request.trace, request.parent) == tuple(THEIRS.split("-")[1:3])


@pytest.mark.parametrize("traceparent", ["", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01", THEIRS + "-more"])
async def test_an_invalid_traceparent_starts_a_new_trace(observed: Observed, traceparent: str) -> None:
    title = f"After {traceparent}"
    headers = {"traceparent": traceparent}
    answer = await observed.api.ask("POST", "/topics", json={"topics": [title]}, headers=headers)
    of = await spans_of(observed, answer.json()["topics"][0]["id"], HANDLING)
    request = await the_one(observed, SERVER, of[HANDLING])
    assert request.parent == ""


async def test_an_unsampled_trace_of_a_client_is_not_recorded(observed: Observed) -> None:
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
    assert shared.attributes["topicflow.submissions"] == 5
    assert {shared.parent, *shared.links} == ids
    assert shared.parent not in shared.links


async def test_a_failed_submission_is_a_failed_span_with_its_code(observed: Observed) -> None:
    observed.deployment.gemini.add_fault("block", title_contains="Blocked in a trace")
    id_ = (await observed.api.submit("Blocked in a trace"))["topics"][0]["id"]
    of = await spans_of(observed, id_, HANDLING, "project SubmissionFailed")
    assert of[HANDLING].failed
    assert of[HANDLING].attributes["error.type"] == "blocked"
    assert of["project SubmissionFailed"].parent == of[HANDLING].id


async def test_probes_and_scrapes_create_no_spans(observed: Observed) -> None:
    for path in ("/live", "/ready", "/health", "/metrics"):
        assert (await observed.api.http.get(path)).is_success
    of = await spans_of(observed, (await observed.api.submit("After the probes"))["topics"][0]["id"], HANDLING)
    await the_one(observed, SERVER, of[HANDLING])
    routes = {span.attributes["http.route"] for span in observed.collector.spans if span.kind == SERVER}
    assert "/api/v1/topics" in routes
    assert not routes & {"/live", "/ready", "/health", "/metrics"}
