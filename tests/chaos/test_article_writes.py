"""The writes of an article after the paid annotation: killed between them, catalogue down, overtaken by a newer one."""

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
from eventually import eventually
from integration.api import Api, Json
from servers import Deployment, Process

from chaos.articles import Articles, deploy
from shared.streams import ENRICHER

URN = "urn:article:to-be-written"
TEXT = "Oats and lentils were eaten by 40 adults for eight weeks."
EDITED = "Kefir and walnuts were given to 60 schoolchildren for a year."
HELD = 6  # seconds
WITHIN = 30
AWAY = float(os.environ.get("TOPICFLOW_TEST_AWAY_SECONDS", "8")) / 2


@pytest.fixture
async def articles(deployment: Deployment) -> AsyncIterator[Articles]:
    """Two enrichers after their first scan, and one new article."""
    deployment.settings["TOPICFLOW_LONGEST_PAUSE_SECONDS"] = "1"
    deploy(deployment, enrichers=2)
    async with deployment.client() as client:
        api = await Api(deployment, client).up()
        await api.until_live(2, "/worker/status", within=WITHIN)
        articles = Articles(deployment, api)
        await articles.scanned(within=WITHIN)
        deployment.catalog.forget_calls()
        deployment.catalog.write(URN, title="To be written", abstract=TEXT)
        yield articles


async def enrich(articles: Articles) -> None:
    answer = await articles.api.ask("POST", f"/articles/{URN}/enrich", json={"force": True})
    assert answer.status_code == 202


async def completed(articles: Articles, attempt: int) -> Json:
    """The article, once it is completed and everything is settled."""

    async def is_completed() -> Json | None:
        answer = await articles.api.ask("GET", f"/articles/{URN}")
        article: Json = answer.json() if answer.is_success else {}
        is_it = (article.get("attempt"), article.get("status")) == (attempt, "completed")
        return article if is_it and await articles.is_quiet() else None

    return await eventually(is_completed, within=WITHIN)


@pytest.mark.slow
@pytest.mark.parametrize("route", ["enhance", "patch"])
async def test_a_delayed_write_of_an_older_submission_does_not_overwrite_a_newer_one(
    articles: Articles, route: str
) -> None:
    catalog = articles.deployment.catalog
    catalog.add_fault("slow", route=route, seconds=HELD, times=1)
    await enrich(articles)
    await eventually(lambda: catalog.calls["in_flight"] == 1, within=WITHIN)
    catalog.write(URN, abstract=EDITED)
    await enrich(articles)

    async def newest() -> bool:
        article = await articles.api.get(f"/articles/{URN}")
        return article["status"] == "completed" and await articles.is_quiet()

    await eventually(newest, within=WITHIN)
    there = articles.there()[URN]
    articles.assert_catalog_has({URN: there})
    assert "kefir" in " ".join(catalog.written[URN]["ai_tags"]).casefold()
    articles.assert_counts()


@pytest.mark.slow
async def test_after_a_kill_between_the_two_writes_another_enricher_repeats_both_and_pays_nothing(
    articles: Articles,
) -> None:
    catalog = articles.deployment.catalog
    catalog.add_fault("hang", route="patch", times=1)
    await enrich(articles)
    await eventually(lambda: catalog.calls["in_flight"] == 1, within=WITHIN)
    assert catalog.calls["enhances"] == {URN: 1}
    assert catalog.calls["patches"] == {}
    for service in enrichers(articles):
        service.kill()
        service.start()
    there = await completed(articles, attempt=1)
    assert there["result"]
    articles.assert_catalog_has({URN: articles.there()[URN]})
    assert catalog.calls["patches"] == {URN: 1}
    assert articles.deployment.gemini.calls["titles"][URN] == 2, "two calls are one annotation"
    articles.assert_counts()


@pytest.mark.slow
async def test_a_paid_annotation_waits_for_an_unavailable_catalogue_reports_it_and_resumes_by_itself(
    articles: Articles,
) -> None:
    deployment = articles.deployment
    deployment.gemini.take(1)
    await enrich(articles)
    await eventually(lambda: deployment.gemini.calls["titles"].get(URN) == 1, within=WITHIN)
    deployment.catalog.kill()

    async def is_reported() -> bool:
        article = await articles.api.get(f"/articles/{URN}")
        return (article["waiting_for"] or {}).get("reason") == "catalog_unavailable"

    await eventually(lambda: deployment.gemini.calls["titles"][URN] == 2, within=WITHIN)
    await eventually(is_reported, within=WITHIN)
    await asyncio.sleep(AWAY)
    deployment.catalog.start()
    there = await completed(articles, attempt=1)
    assert there["waiting_for"] is None
    articles.assert_catalog_has({URN: articles.there()[URN]})
    assert deployment.gemini.calls["titles"][URN] == 2, "two calls are one annotation"
    articles.assert_counts()


def enrichers(articles: Articles) -> list[Process]:
    return [service for name, service in articles.deployment.services.items() if name.startswith(ENRICHER)]
