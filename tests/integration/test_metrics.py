"""The metrics of each service, scraped after real work."""

from itertools import count

import httpx
import pytest
from eventually import eventually
from integration.observed import Observed
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from scrape import Scraped

from shared import __version__
from shared.streams import PROJECTOR

SERVICES = ("api", PROJECTOR, "topic-worker")
NUMBER = count()


def difference(after: Scraped, before: Scraped, name: str, **labels: str) -> float:
    return (after.get(name, **labels) or 0) - (before.get(name, **labels) or 0)


async def moved(observed: Observed, service: str, before: Scraped, by: float, name: str, **labels: str) -> Scraped:
    """Metrics are updated after the event: scrapes until the condition holds."""

    async def has() -> Scraped | None:
        now = await observed.scrape(service)
        return now if difference(now, before, name, **labels) == by else None

    return await eventually(has, within=5)


@pytest.mark.parametrize("service", SERVICES)
async def test_every_service_exposes_its_identity_in_both_formats(observed: Observed, service: str) -> None:
    scraped = await observed.scrape(service)
    assert scraped.get("topicflow_build_info", service=service, version=__version__) == 1
    assert (scraped.get("process_resident_memory_bytes") or 0) > 1e6
    async with httpx.AsyncClient(trust_env=False) as client:
        headers = {"accept": "application/openmetrics-text; version=1.0.0"}
        answer = await client.get(f"http://127.0.0.1:{observed.ports[service]}/metrics", headers=headers)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = parse_openmetrics(answer.text)  # type: ignore[no-untyped-call]
    assert {family.name for family in families} >= {"topicflow_build_info", "topicflow_broker_errors"}


async def test_requests_are_counted_by_method_template_and_status(observed: Observed) -> None:
    before = await observed.scrape("api")
    http = observed.api.http
    await http.get("/api/v1/topics/one")
    await http.get("/api/v1/topics/another")
    await http.get("/api/v1/no/such/route")
    await http.request("PROPFIND", "/live")
    await http.post("/api/v1/topics", json={"topics": []})
    after = await observed.scrape("api")

    def counted(**labels: str) -> float:
        return difference(after, before, "topicflow_http_request_seconds_count", **labels)

    assert counted(method="GET", route="/api/v1/topics/{id}", status="404") == 2
    assert counted(method="GET", route="(none)", status="404") == 1
    assert counted(method="other", status="405") == 1
    assert counted(method="POST", route="/api/v1/topics", status="422") == 1
    assert counted(method="GET", route="/metrics", status="200") == 1
    assert difference(after, before, "topicflow_http_requests_refused_total", reason="not_found") == 3
    assert difference(after, before, "topicflow_http_requests_refused_total", reason="unprocessable_entity") == 1


async def test_submitted_titles_are_counted_by_verdict(observed: Observed) -> None:
    before = await observed.scrape("api")
    title = f"Counted by verdict {next(NUMBER)}"
    [topic] = (await observed.api.submit(title, title))["topics"]
    await observed.api.ended(topic["id"])
    await observed.api.submit(title)
    await observed.api.ask("POST", f"/topics/{topic['id']}/retry", json={"force": True})
    after = await observed.scrape("api")

    async def has_ended_again() -> bool:
        now = await observed.api.get(f"/topics/{topic['id']}")
        return (now["attempt"], now["status"]) == (2, "completed")

    await eventually(has_ended_again, within=20)
    received = "topicflow_submissions_received_total"
    assert difference(after, before, received, kind="topic", verdict="queued") == 2
    assert difference(after, before, received, kind="topic", verdict="skipped") == 2


async def test_a_worker_counts_ends_calls_and_tokens(observed: Observed) -> None:
    before = await observed.scrape("topic-worker")
    observed.deployment.gemini.add_fault("block", title_contains="Counted as blocked")
    titles = [f"Counted {n}" for n in range(4)]
    topics = (await observed.api.submit(*titles))["topics"]
    await observed.api.ended(*(topic["id"] for topic in topics))
    blocked = (await observed.api.submit("Counted as blocked"))["topics"][0]["id"]
    await observed.api.ended(blocked, as_="failed")
    after = await moved(observed, "topic-worker", before, 5, "topicflow_handling_seconds_count")
    assert difference(after, before, "topicflow_deliveries_total", end="completed") == 4
    assert difference(after, before, "topicflow_deliveries_total", end="failed") == 1
    assert difference(after, before, "topicflow_llm_calls_total", outcome="answered") == 1
    assert difference(after, before, "topicflow_llm_calls_total", outcome="blocked") == 1
    assert difference(after, before, "topicflow_llm_call_seconds_count") == 2
    assert difference(after, before, "topicflow_llm_submissions_per_call_sum") == 5
    assert difference(after, before, "topicflow_llm_tokens_total", kind="out") > 0


async def test_an_outage_is_a_gauge_by_reason_only_while_it_lasts(observed: Observed) -> None:
    before = await observed.scrape("topic-worker")
    observed.deployment.gemini.add_fault("429", retry_after_seconds=0.1)
    id_ = (await observed.api.submit(f"Waits for quota {next(NUMBER)}"))["topics"][0]["id"]

    async def waits() -> Scraped | None:
        now = await observed.scrape("topic-worker")
        return now if now.get("topicflow_waiting_seconds", reason="rate_limited") is not None else None

    during = await eventually(waits, within=10)
    assert during.get("topicflow_in_flight") == 1
    observed.deployment.gemini.forget_faults()
    await observed.api.ended(id_)
    after = await observed.scrape("topic-worker")
    assert after.get("topicflow_waiting_seconds") is None

    async def nothing_is_in_flight() -> bool:
        return (await observed.scrape("topic-worker")).get("topicflow_in_flight") == 0

    await eventually(nothing_is_in_flight, within=5)
    assert difference(after, before, "topicflow_llm_calls_total", outcome="rate_limited") >= 1


async def test_a_projector_counts_events_by_type(observed: Observed) -> None:
    before = await observed.scrape(PROJECTOR)
    topics = (await observed.api.submit(*(f"Projected {n}" for n in range(3))))["topics"]
    await observed.api.ended(*(topic["id"] for topic in topics))
    after = await moved(observed, PROJECTOR, before, 9, "topicflow_projection_batch_events_sum")
    for kind in ("TopicSubmitted", "SubmissionStarted", "SubmissionCompleted"):
        assert difference(after, before, "topicflow_projected_events_total", type=kind) == 3
    batches = difference(after, before, "topicflow_projection_batch_events_count")
    assert 1 <= batches == difference(after, before, "topicflow_projection_transaction_seconds_count")


async def test_no_label_contains_user_input(observed: Observed) -> None:
    [topic] = (await observed.api.submit("Never a label"))["topics"]
    await observed.api.ended(topic["id"])
    await observed.api.http.get(f"/api/v1/topics/{topic['id']}/no-such-route")
    for service in SERVICES:
        values = set((await observed.scrape(service)).label_values())
        assert values
        assert not [value for value in values if topic["id"] in value or "Never" in value or "no-such" in value]
