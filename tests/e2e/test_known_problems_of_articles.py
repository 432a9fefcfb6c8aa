"""The known problems with articles, one test each, numbered as in docs/known-problems.md; all services are real."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest
from eventually import eventually
from integration.api import Api, Json
from integration.test_articles import all_ended, ended, post, scanned
from servers import Deployment, free_port

from shared.messaging.kafka.group_member import MAX_HEARTBEAT_INTERVAL
from shared.streams import ENRICHER, PROJECTOR
from simulators.catalog.articles import invented

FAST = {"TOPICFLOW_LONGEST_PAUSE_SECONDS": "0.5", "WORKER_BATCH_SIZE": "10"}
PROMISED = {"enabled", "processed", "failed", "skipped", "started_at", "running", "uptime_seconds"}
WITH_TEXT = [urn for urn, article in invented().items() if article["abstract"] or article["content"]]
ONE, OTHER = WITH_TEXT[:2]


class Replicas(NamedTuple):
    deployment: Deployment
    api: Api
    other: Api


@pytest.fixture
async def replicas(deployment: Deployment) -> AsyncIterator[Replicas]:
    """Two API replicas, which start a scan one second after the last one; no enricher yet."""
    settings = {"ENABLE_BACKGROUND_WORKER": "true", "WORKER_POLL_INTERVAL": "1"}
    ports = (deployment.api_port, free_port())
    for n, port in enumerate(ports, 1):
        deployment.add("api", f"api-{n}", TOPICFLOW_PORT=str(port), **settings)
    deployment.add(PROJECTOR, f"{PROJECTOR}-1")
    async with AsyncExitStack() as opened:
        clients = [await opened.enter_async_context(deployment.client(port)) for port in ports]
        yield Replicas(deployment, *[await Api(deployment, client).up() for client in clients])


async def numbers(api: Api) -> Json:
    """The counters, once everything is projected."""

    async def projected() -> Json | None:
        status = await api.get("/worker/status")
        return status if status["projection_lag_seconds"] == 0 else None

    status = await eventually(projected, within=20)
    return {name: status[name] for name in ("processed", "failed", "skipped")}


async def history(api: Api, urn: str, name: str) -> list[Json]:
    return [event for event in (await api.get(f"/articles/{urn}/history"))["events"] if event["event"] == name]


async def test_13_every_replica_fetching_the_same_page_and_skipping_most_of_it(replicas: Replicas) -> None:
    deployment, api, _ = replicas
    await post(api, "/worker/pause", paused=True)  # what is under way while one joins may be done again
    for n in range(3):
        deployment.add(ENRICHER, f"{ENRICHER}-{n}", **FAST)
    await api.until_live(3, "/worker/status")
    await asyncio.sleep(2 * MAX_HEARTBEAT_INTERVAL)  # until the partitions are reassigned
    await post(api, "/worker/pause", paused=False)
    scan = await scanned(api, "scan 1")
    assert (scan["pages"], scan["seen"], scan["submitted"]) == (5, 40, 40)  # 4 full ones, and an empty one
    await all_ended(api)
    calls = deployment.catalog.calls
    scans = (await api.get("/articles/scan"))["scan"].removeprefix("scan ")
    assert calls["by_route"]["search"] <= 5 * int(scans)
    assert calls["reads"] == dict.fromkeys(invented(), 1)
    assert deployment.gemini.calls["titles"] == dict.fromkeys(WITH_TEXT, 2)
    assert (await numbers(api))["skipped"] == 0


async def test_14_one_failing_article_that_stalls_the_whole_sweep(replicas: Replicas) -> None:
    deployment, api, _ = replicas
    deployment.catalog.add_fault("500", route="enhance", urn_contains=ONE)
    deployment.gemini.add_fault("block", title_contains=invented()[OTHER]["title"])
    deployment.add(ENRICHER, f"{ENRICHER}-1", **FAST)
    await scanned(api, "scan 1")
    failed = [await ended(api, urn, "failed") for urn in (ONE, OTHER)]
    assert [article["result"] for article in failed] == [None, None]
    await all_ended(api)
    completed = await api.get("/articles", status="completed", limit=100)
    assert {article["urn"] for article in completed["articles"]} == set(WITH_TEXT) - {ONE, OTHER}


async def test_16_paid_annotations_lost_because_the_catalogue_could_not_be_written(replicas: Replicas) -> None:
    deployment, api, _ = replicas
    deployment.catalog.add_fault("503", route="enhance")
    enricher = deployment.add(ENRICHER, f"{ENRICHER}-1", **FAST)
    await post(api, "/articles", urns=[ONE])

    async def waits() -> bool:
        article = await api.ask("GET", f"/articles/{ONE}")
        waiting = article.json().get("waiting_for") if article.is_success else None
        return bool(
            waiting and waiting["reason"] == "catalog_unavailable" and await history(api, ONE, "ArticleAnnotated")
        )

    await eventually(waits, within=20)
    enricher.kill()
    enricher.start()
    deployment.catalog.forget_faults()
    article = await ended(api, ONE)
    assert deployment.catalog.written[ONE]["ai_tags"] == article["result"]["keywords"]
    assert len(await history(api, ONE, "ArticleAnnotated")) == 1
    assert deployment.gemini.calls["titles"][ONE] == 2


async def test_17_counters_that_differ_per_replica_and_vanish_on_restart(replicas: Replicas) -> None:
    deployment, api, other = replicas
    for n in range(2):
        deployment.add(ENRICHER, f"{ENRICHER}-{n}", **FAST)
    await scanned(api, "scan 1")
    await all_ended(api)
    before = await numbers(api)
    assert before == {"processed": len(WITH_TEXT), "failed": len(invented()) - len(WITH_TEXT), "skipped": 0}
    assert await numbers(other) == before
    for service in deployment.services.values():
        service.kill()
        service.start()
    for replica in (api, other):
        await replica.up()
        assert await numbers(replica) == before
        assert (await replica.get("/worker/status")).keys() >= PROMISED


async def test_20_an_edited_article_that_is_never_enriched_again(replicas: Replicas) -> None:
    deployment, api, _ = replicas
    deployment.add(ENRICHER, f"{ENRICHER}-1", **FAST)
    await scanned(api, "scan 1")
    await all_ended(api)
    before = await ended(api, ONE)
    deployment.catalog.write(ONE, abstract="An edited text. It says that rye was baked.")
    after = await ended(api, ONE, attempt=2)
    assert after["result"]["input_hash"] != before["result"]["input_hash"]
    assert deployment.gemini.calls["calls"] == 2 * len(WITH_TEXT) + 2
