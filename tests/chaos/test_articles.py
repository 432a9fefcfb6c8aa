"""Thousands of articles while replicas die, the catalogue is down and tokens expire: each is enriched once."""

import asyncio
import os
import random
import time
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from eventually import eventually
from integration.api import Api, Json
from servers import Deployment

from chaos.articles import Articles, deploy, with_text
from shared.streams import ENRICHER
from simulators.catalog.articles import invented

pytestmark = [pytest.mark.alone, pytest.mark.slow]
MADE = 2000
REPLICAS = 3
IN_FLIGHT = 10
KILLS = 6
AWAY = float(os.environ.get("TOPICFLOW_TEST_AWAY_SECONDS", "8"))
ENRICHED = with_text(MADE)
ALL = MADE + len(invented())
TOUCHED = KILLS * IN_FLIGHT  # articles that killed replicas may have had in flight


@pytest.mark.timeout(300 + 4 * AWAY)
async def test_thousands_of_articles_are_enriched_once_despite_faults_of_replicas_and_catalogue(
    deployment: Deployment,
) -> None:
    seed = int(os.environ.get("STORM_SEED") or random.randrange(10**9))
    print(f"STORM_SEED={seed}")
    deployment.settings |= {"TOPICFLOW_IN_FLIGHT": str(IN_FLIGHT), "TOPICFLOW_LONGEST_PAUSE_SECONDS": "2"}
    deployment.catalog.begin(made=MADE)
    deployment.catalog.tokens_last(5)
    deployment.gemini.take(0.1)
    second = deploy(deployment, REPLICAS)
    async with AsyncExitStack() as opened:
        clients = [await opened.enter_async_context(deployment.client(port)) for port in (None, second)]
        apis = [await Api(deployment, client).up() for client in clients]
        articles = Articles(deployment, apis[0])
        began = time.monotonic()
        answers = await asyncio.gather(*(api.ask("POST", "/articles/scan") for api in apis))
        assert {answer.status_code for answer in answers} == {202}
        await storm(deployment, random.Random(seed))
        scan = await articles.scanned(within=150)
        print(f"{time.monotonic() - began:.0f} s, a scan of {scan['pages']} pages")
        assert (scan["status"], scan["seen"]) == ("completed", ALL)
        assert_each_is_enriched(articles)
        assert_called_once(deployment)
        await assert_replicas_agree(articles, apis)


async def storm(deployment: Deployment, chance: random.Random) -> None:
    """Kills and restarts one replica after the other, and ends all tokens each time. The catalogue is down during the
    scan, whose pages are slow enough for a kill to hit one."""
    catalog = deployment.catalog
    replicas = [deployment.services[f"{ENRICHER}-{n}"] for n in range(1, REPLICAS + 1)]
    for n in range(KILLS):
        catalog.forget_faults()
        if n == 1:
            catalog.add_fault("503", for_seconds=AWAY)
        catalog.add_fault("slow", route="search", seconds=0.3)
        await asyncio.sleep(chance.uniform(1, 4) + (AWAY if n == 1 else 0))
        victim = chance.choice(replicas)
        victim.kill()
        catalog.end_tokens()
        await asyncio.sleep(chance.uniform(0, 3))
        victim.start()
    catalog.forget_faults()


def assert_each_is_enriched(articles: Articles) -> None:
    """Articles without text have failed as `no_text`."""
    there = articles.there()
    assert {urn for urn, one in there.items() if one.status == "completed"} == ENRICHED
    others = {urn: one for urn, one in there.items() if urn not in ENRICHED}
    assert len(there) == ALL
    assert {one.status for one in others.values()} == {"failed"}
    assert {one.error[0] for one in others.values() if one.error} == {"no_text"}
    articles.assert_catalog_has({urn: there[urn] for urn in ENRICHED})
    articles.assert_counts()


def assert_called_once(deployment: Deployment) -> None:
    """Except what was in flight when a replica was killed or the catalogue went down."""
    calls, gemini_calls = deployment.catalog.calls, deployment.gemini.calls["calls"]
    read = sum(calls["reads"].values())
    print(f"calls of Gemini: {gemini_calls}, of the catalogue: {calls['by_route']}, its answers: {calls['by_status']}")
    for call, may_be_repeated in (("enhances", TOUCHED + REPLICAS * IN_FLIGHT), ("patches", TOUCHED)):
        repeated = Counter(calls[call].values())
        print(f"{call}: {dict(repeated)}")
        assert calls[call].keys() == ENRICHED
        assert len(ENRICHED) - repeated[1] <= may_be_repeated
    assert gemini_calls <= 2 * (len(ENRICHED) + TOUCHED)
    assert read <= 1.2 * ALL


async def assert_replicas_agree(articles: Articles, apis: list[Api]) -> None:
    """API replicas agree with each other and with the database, before and after a restart of all processes."""
    before = await replica_answers(articles, apis)
    [worker, *_] = before
    rows = Counter(one.status for one in articles.there().values())
    assert worker["processed"] + worker["skipped"] == rows["completed"]
    assert worker["failed"] == rows["failed"]
    print(f"worker: {worker}")
    for name, service in articles.deployment.services.items():
        if name.startswith(("api", ENRICHER)):
            await asyncio.to_thread(service.stop)
            service.start()
    for api in apis:
        await api.up()
    await eventually(articles.is_quiet, within=30)
    assert await replica_answers(articles, apis) == before


async def replica_answers(articles: Articles, apis: list[Api]) -> list[Json]:
    """The answer of each replica; all must be the same."""
    answers = []
    for api in apis:
        pages = [await api.get("/articles", limit=100), await api.get("/articles/scan")]
        answer = [await articles.worker_status(api), *pages]
        for page in pages:
            page.pop("as_of")
            page.pop("simulated", None)
        answers.append(answer)
    assert answers[0] == answers[1]
    return answers[0]
