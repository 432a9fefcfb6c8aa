"""Reads over HTTP: HEAD, compressed answers, and 304 for what has not changed and for nothing else."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from eventually import eventually
from integration.api import Api
from servers import Deployment, GeminiSimulator, Stacks

from shared.streams import PROJECTOR, TOPIC_WORKER

LISTS = ("/topics?limit=100", "/topics?limit=5", "/articles")
WITH_AGE = (*LISTS, "/usage", "/processing-status")
WITHOUT_AGE = ("/topic-status-summary", "/stats", "/topics/filter-options")


@pytest.fixture(scope="module")
def deployed(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("http-reads")
    with stacks.shared(folder) as stack:
        deployed = Deployment(folder, stack, GeminiSimulator(folder))
        deployed.gemini.start()
        for service in ("api", PROJECTOR, TOPIC_WORKER):
            deployed.add(service, service, ENABLE_BACKGROUND_WORKER="true")
        yield deployed
        deployed.end()


@pytest.fixture
async def api(deployed: Deployment) -> AsyncIterator[Api]:
    deployed.gemini.forget_faults()
    async with deployed.client() as client:
        yield await Api(deployed, client).ready()


async def tag_of(api: Api, path: str) -> str:
    answer = await api.ask("GET", path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-cache"
    return str(answer.headers["etag"])


async def again(api: Api, path: str, tag: str) -> httpx.Response:
    return await api.ask("GET", path, headers={"if-none-match": tag})


@pytest.mark.parametrize("path", [*WITH_AGE, *WITHOUT_AGE])
async def test_head_answers_as_get_without_a_body(reads: Api, path: str) -> None:
    get, head = await reads.ask("GET", path), await reads.ask("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag", "vary"):
        assert head.headers.get(name) == get.headers.get(name), name


@pytest.mark.parametrize("path", ["/live", "/ready", "/health", "/metrics", "/openapi.json", "/api/v1/topics/nothing"])
async def test_head_works_wherever_get_does_and_only_reads_have_tags(reads: Api, path: str) -> None:
    get, head = await reads.http.get(path), await reads.http.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert "etag" not in get.headers


@pytest.mark.parametrize("path", WITH_AGE)
async def test_what_has_not_changed_is_304_with_its_age(reads: Api, path: str) -> None:
    answer = await reads.ask("GET", path)
    for tags in (answer.headers["etag"], f'"x", {answer.headers["etag"]}', "*"):
        same = await again(reads, path, tags)
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == answer.headers["etag"]
        assert same.headers["x-as-of"] == answer.json()["as_of"]
        assert float(same.headers["x-projection-lag-seconds"]) == 0
    assert (await again(reads, path, 'W/"another"')).status_code == 200


@pytest.mark.parametrize("path", WITHOUT_AGE)
async def test_answers_without_an_age_have_tags_too(reads: Api, path: str) -> None:
    assert (await again(reads, path, await tag_of(reads, path))).status_code == 304


async def test_each_list_has_a_tag_of_its_own(reads: Api) -> None:
    assert len({await tag_of(reads, path) for path in LISTS}) == len(LISTS)


async def test_long_answers_are_compressed_if_the_client_can_read_that(reads: Api) -> None:
    plain = await reads.ask("GET", LISTS[0], headers={"accept-encoding": "identity"})
    small = await reads.ask("GET", "/topic-status-summary", headers={"accept-encoding": "gzip"})
    packed = await reads.ask("GET", LISTS[0], headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers.keys() | small.headers.keys()
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) * 3 < len(plain.content)
    assert (packed.headers["etag"], packed.json()["topics"]) == (plain.headers["etag"], plain.json()["topics"])


# -- never 304 for what changed while the projection is idle --------------------------------------------------------


async def test_a_dismissal_is_seen(api: Api) -> None:
    api.deployment.gemini.add_fault("block", title_contains="Dismissed")
    await api.ended((await api.submit("Dismissed"))["topics"][0]["id"], as_="failed")
    await eventually(lambda: _is_idle(api), within=20)
    tag = await tag_of(api, "/processing-status")
    assert (await api.ask("POST", "/processing-status/seen")).is_success
    answer = await again(api, "/processing-status", tag)
    assert (answer.status_code, answer.json()["show_status"]) == (200, False)


async def test_a_pause_is_seen(api: Api) -> None:
    urn = "urn:article:never-enriched"  # no enricher runs
    assert (await api.ask("POST", "/articles", json={"urns": [urn]})).is_success
    await eventually(lambda: _is_there(api, urn), within=20)
    tag = await tag_of(api, f"/articles/{urn}")
    assert (await again(api, f"/articles/{urn}", tag)).status_code == 304
    assert (await api.ask("POST", "/worker/pause", json={"paused": True})).is_success

    async def is_paused() -> bool:
        answer = await again(api, f"/articles/{urn}", tag)
        return answer.status_code == 200 and answer.json()["waiting_for"]["reason"] == "paused"

    await eventually(is_paused, within=5)
    await api.ask("POST", "/worker/pause", json={"paused": False})


async def test_an_outage_and_a_dead_worker_are_seen(api: Api) -> None:
    """`waiting_for` and `simulated` come from heartbeats alone; completed topics do not change meanwhile."""
    await eventually(lambda: _is_idle(api), within=20)
    before = await tag_of(api, "/processing-status")
    api.deployment.gemini.add_fault("503")
    await api.submit("Waits for Gemini")

    async def waits() -> bool:
        answer = await again(api, "/processing-status", before)
        return answer.status_code == 200 and answer.json()["waiting_for"] is not None

    await eventually(waits, within=20)
    tag = await tag_of(api, "/topic-status-summary")
    assert (await again(api, "/topic-status-summary", tag)).status_code == 304
    api.deployment.services[TOPIC_WORKER].kill()

    async def is_gone() -> bool:
        answer = await again(api, "/topic-status-summary", tag)
        return answer.status_code == 200 and answer.json()["simulated"] is None

    await eventually(is_gone, within=10)
    api.deployment.gemini.forget_faults()
    api.deployment.services[TOPIC_WORKER].start()


async def _is_idle(api: Api) -> bool:
    return (await api.get("/processing-status"))["is_processing"] is False


async def _is_there(api: Api, urn: str) -> bool:
    return (await api.ask("GET", f"/articles/{urn}")).is_success
