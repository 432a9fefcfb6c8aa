"""Articles through the routes, with a running enricher: submitted, enriched, skipped, forced, forgotten, scanned."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from eventually import eventually
from integration.api import Api, problem
from servers import Deployment

from shared.streams import ENRICHER, PROJECTOR

ALL, WITHOUT_TEXT = 40, 2  # of the simulator's articles
ONE, OTHER = "urn:article:nuts-meta-analysis", "urn:article:sourdough-bread-fodmap"
SOON = {"TOPICFLOW_LONGEST_PAUSE_SECONDS": "0.5", "WORKER_BATCH_SIZE": "15"}
Json = dict[str, Any]


@pytest.fixture
async def articles(deployment: Deployment) -> AsyncIterator[Api]:
    """An API that starts no scan by itself."""
    async with serving(deployment) as api:
        yield api


@pytest.fixture
async def enriching(deployment: Deployment) -> AsyncIterator[Api]:
    """An API that starts one scan."""
    async with serving(deployment, ENABLE_BACKGROUND_WORKER="true", WORKER_POLL_INTERVAL="100000") as api:
        yield api


@asynccontextmanager
async def serving(deployment: Deployment, **settings: str) -> AsyncIterator[Api]:
    for service in ("api", PROJECTOR):
        deployment.add(service, **settings)
    async with deployment.client() as client:
        yield await Api(deployment, client).up()


async def post(api: Api, path: str, **body: Any) -> Json:
    answer = await api.ask("POST", path, json=body)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def ended(api: Api, urn: str, status: str = "completed", attempt: int = 1) -> Json:
    async def is_() -> Json | None:
        answer = await api.ask("GET", f"/articles/{urn}")
        found = dict(answer.json()) if answer.is_success else {}
        return found if (found.get("status"), found.get("attempt")) == (status, attempt) else None

    return await eventually(is_, within=20)


async def scanned(api: Api, name: str) -> Json:
    async def has_ended() -> Json | None:
        answer = await api.ask("GET", "/articles/scan")
        scan = dict(answer.json()) if answer.is_success else {}
        return scan if scan.get("scan") == name and scan["status"] in {"completed", "failed"} else None

    return await eventually(has_ended, within=30)


async def all_ended(api: Api) -> Json:
    """The worker status, once no article is in progress."""

    async def are() -> Json | None:
        counts = [(await api.get("/articles", status=s, limit=1))["total_count"] for s in ("pending", "processing")]
        return await api.get("/worker/status") if not any(counts) else None

    return await eventually(are, within=60)


async def test_an_article_is_annotated_written_and_shown_as_the_contract_defines(articles: Api) -> None:
    articles.deployment.add(ENRICHER, **SOON)
    answer = await post(articles, "/articles", urns=[ONE, OTHER, ONE])
    assert (answer["accepted"], answer["skipped"]) == (2, 1)
    assert [(a["urn"], a["status"]) for a in answer["articles"]] == [(ONE, "pending"), (OTHER, "pending")]
    article = await ended(articles, ONE)
    assert {"id", "urn", "status", "attempt", "error_message", "enriched_at", "result", "simulated"} <= article.keys()
    assert article["simulated"] is True
    result = article["result"]
    written = articles.deployment.catalog.written[ONE]
    assert written["ai_tags"] == result["keywords"]
    assert written["ai_category"] == result["study_type"]
    assert written["ai_key_takeaways"] == result["evaluation"]["verdict"]
    extras = written["extras"]
    assert extras["input_hash"] == result["input_hash"]
    assert extras["submission"]["attempt"] == 1
    assert extras["annotations"] == result["annotations"]
    assert {"enriched_at", "model", "prompt_version", "reader_group", "age_group", "population_group"} <= extras.keys()
    assert not extras.keys() & {"keywords", "study_type"}
    events = (await articles.get(f"/articles/{ONE}/history"))["events"]
    names = [event["event"] for event in events]
    assert names == [
        "ArticleSubmitted",
        "SubmissionStarted",
        "ArticleAnnotated",
        "SubmissionStarted",
        "SubmissionCompleted",
    ]
    assert events[2]["tokens_in"] > 0
    page = await articles.get("/articles", search="nuts-meta")
    assert [a["urn"] for a in page["articles"]] == [ONE]
    [paid] = (await articles.get("/usage"))["days"]
    assert (paid["kind"], paid["calls"], paid["wasted"]) == ("article", 4, {})


async def test_an_enriched_article_is_skipped_force_pays_again_and_forgetting_starts_over(articles: Api) -> None:
    articles.deployment.add(ENRICHER, **SOON)
    await post(articles, "/articles", urns=[ONE])
    await ended(articles, ONE)
    again = await post(articles, "/articles", urns=[ONE])
    assert (again["accepted"], again["articles"][0]["status"]) == (0, "completed")
    await post(articles, f"/articles/{ONE}/enrich", force=True)
    await ended(articles, ONE, attempt=2)
    assert articles.deployment.gemini.calls["calls"] == 4

    answer = await articles.ask("DELETE", f"/articles/{ONE}/enrichment")
    assert answer.json() == {"success": True, "message": f"forgotten: {ONE}"}
    problem(await articles.ask("GET", f"/articles/{ONE}"), 404)

    def has_no_mark() -> bool:
        return articles.deployment.catalog.written[ONE]["extras"]["input_hash"] is None

    await eventually(has_no_mark, within=10)
    await post(articles, "/articles", urns=[ONE])
    await ended(articles, ONE, attempt=3)
    assert articles.deployment.gemini.calls["calls"] == 6


async def test_a_scan_enriches_due_articles_once_and_edited_ones_again(enriching: Api) -> None:
    articles = enriching
    articles.deployment.add(ENRICHER, **SOON)
    scan = await scanned(articles, "scan 1")
    assert [scan[name] for name in ("status", "pages", "seen", "submitted")] == ["completed", 3, ALL, ALL]
    numbers = await all_ended(articles)
    assert [numbers[name] for name in ("processed", "failed", "skipped")] == [ALL - WITHOUT_TEXT, WITHOUT_TEXT, 0]
    assert len(articles.deployment.catalog.written) == ALL - WITHOUT_TEXT
    assert articles.deployment.gemini.calls["calls"] == 2 * (ALL - WITHOUT_TEXT)

    articles.deployment.catalog.write(ONE, abstract="Another text. It says that nuts were weighed.")
    assert (await post(articles, "/articles/scan"))["scan"] == "scan 2"
    scan = await scanned(articles, "scan 2")
    assert (scan["seen"], scan["submitted"]) == (ALL, 1)
    await ended(articles, ONE, attempt=2)
    assert articles.deployment.gemini.calls["calls"] == 2 * (ALL - WITHOUT_TEXT) + 2
    answer = await post(articles, "/articles/reprocess", status="failed")
    assert answer == {"count": WITHOUT_TEXT}


async def test_a_pause_applies_to_all_workers_is_shown_everywhere_and_survives_restarts(enriching: Api) -> None:
    articles = enriching
    assert (await post(articles, "/worker/pause", paused=True))["paused"] is True
    worker = articles.deployment.add(ENRICHER, "enricher-1", **SOON)

    async def lives() -> bool:
        status = await articles.get("/worker/status")
        return bool(status["running"] and status["paused"])

    await eventually(lives, within=20)
    worker.kill()
    worker.start()
    await post(articles, "/articles", urns=[ONE])

    async def waits() -> bool:
        article = await articles.ask("GET", f"/articles/{ONE}")
        waiting = article.json().get("waiting_for") if article.is_success else None
        return bool(waiting and waiting["reason"] == "paused")

    await eventually(waits, within=10)
    await eventually(lives, within=20)
    status = await articles.get("/worker/status")
    assert (status["paused_by"], status["waiting_for"]["reason"]) == ("local", "paused")
    assert (await articles.http.get("/health")).json()["worker"]["paused"] is True
    assert articles.deployment.gemini.calls["calls"] == 0
    await post(articles, "/worker/pause", paused=False)
    await ended(articles, ONE)


async def test_an_outage_of_the_catalogue_spends_no_try_and_does_not_delay_topics(articles: Api) -> None:
    articles.deployment.add(ENRICHER, **SOON)
    articles.deployment.add("topic-worker")
    articles.deployment.catalog.add_fault("503")
    await post(articles, "/articles", urns=[ONE])

    async def waits() -> bool:
        article = (await articles.ask("GET", f"/articles/{ONE}")).json()
        waiting = article.get("waiting_for")
        return bool(article.get("status") == "pending" and waiting and waiting["reason"] == "catalog_unavailable")

    await eventually(waits, within=20)
    [topic] = (await articles.submit("Meanwhile"))["topics"]
    await articles.ended(topic["id"])
    articles.deployment.catalog.forget_faults()
    article = await ended(articles, ONE)
    assert (article["tries"], article["submitted_by"]) == (0, "local")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"urns": []}, "urns"),
        ({"urns": ["not a urn"]}, "urns[0]"),
        ({"urns": [ONE] * 201}, "urns"),
        ({"urns": [ONE], "input_hashes": {ONE: "short"}}, "input_hashes"),
        ({"urns": [ONE], "more": 1}, "more"),
    ],
)
async def test_an_invalid_body_is_refused_with_the_name_of_the_field(articles: Api, body: Json, field: str) -> None:
    refused = problem(await articles.ask("POST", "/articles", json=body), 422)
    assert refused["errors"][0]["field"].startswith(field)


async def test_disabled_articles_are_reported(deployment: Deployment) -> None:
    for service in ("api", PROJECTOR):
        deployment.add(service)
    async with deployment.client() as client:
        api = await Api(deployment, client).up()
        answer = await api.get("/worker/status")
        assert (answer["enabled"], "ENABLE_BACKGROUND_WORKER" in answer["message"]) == (False, True)
        assert "worker" not in (await client.get("/health")).json()
    enricher = deployment.add(ENRICHER, ENABLE_BACKGROUND_WORKER="false")
    await eventually(lambda: not enricher.is_alive, within=20)
    assert enricher.output.strip() == "enricher: ENABLE_BACKGROUND_WORKER: must be true to run the enricher"
