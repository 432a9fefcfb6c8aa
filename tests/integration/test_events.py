"""GET /events over HTTP: what a client sees, and how streams end."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from eventually import eventually
from integration.api import Api, problem
from integration.event_streams import open_stream
from integration.keyed import Keyed, bearer
from servers import Deployment, GeminiSimulator, Stacks
from servers.ports import free_port

from shared.ids import topic_id
from shared.streams import PROJECTOR, TOPIC_WORKER

OTHER = "api-2"


@pytest.fixture(scope="module")
def deployed(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Two replicas of the API; the port of the second is in the settings of the deployment."""
    folder = tmp_path_factory.mktemp("events")
    with stacks.shared(folder) as stack:
        deployed = Deployment(folder, stack, GeminiSimulator(folder))
        deployed.gemini.start()
        for service in ("api", PROJECTOR, TOPIC_WORKER):
            deployed.add(service, service, ENABLE_BACKGROUND_WORKER="true")
        other = deployed.add("api", OTHER, TOPICFLOW_PORT=str(free_port()), ENABLE_BACKGROUND_WORKER="true")
        yield deployed
        assert other.is_alive
        deployed.end()


@pytest.fixture
async def api(deployed: Deployment) -> AsyncIterator[Api]:
    deployed.gemini.forget_faults()
    async with deployed.client() as client:
        yield await Api(deployed, client).ready()


@pytest.fixture
async def replica(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    port = int(api.deployment.services[OTHER].environment["TOPICFLOW_PORT"])
    async with api.deployment.client(port) as client:
        await Api(api.deployment, client).up()
        yield client


def id_of(*titles: str) -> list[str]:
    return [topic_id(title) for title in titles]


async def test_a_stream_begins_with_a_snapshot_and_tells_what_becomes_of_a_submission(api: Api) -> None:
    async with open_stream(api.http) as stream:
        headers = stream.response.headers
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store, no-transform", "no")
        assert not headers.keys() & {"content-encoding", "etag", "content-length"}
        snapshot = await stream.next()
        assert (snapshot.name, snapshot.data["submissions"]) == ("snapshot", [])
        assert snapshot.data["processing_status"].keys() == (await api.get("/processing-status")).keys()
        assert snapshot.data["counts"]["topics"]["live_workers"] == 1
        assert snapshot.data["counts"]["topics"]["simulated"] is True
        await api.submit("Told as it happens", "Another")
        reported = await stream.until("completed", *id_of("Told as it happens", "Another"))
        assert reported[topic_id("Another")].keys() == {
            *("id", "kind", "name", "status", "attempt", "at", "error_message", "waiting_for")
        }


async def test_a_stream_for_ids_begins_with_those_that_are_known(api: Api) -> None:
    api.deployment.gemini.add_fault("block", title_contains="Blocked")
    await api.submit("Known before")
    await api.ended(*id_of("Known before"))
    ids = id_of("Known before", "Blocked by Gemini")
    async with open_stream(api.http, query={"id": ids}) as stream:
        assert [one["name"] for one in (await stream.next("snapshot")).data["submissions"]] == ["Known before"]
        await api.submit("Blocked by Gemini", "Somebody else's")
        reported = await stream.until("failed", ids[1])
        assert reported.keys() == {ids[1]}
        assert reported[ids[1]]["error_message"]


async def test_a_client_goes_on_at_another_replica_where_it_was_cut_off(api: Api, replica: httpx.AsyncClient) -> None:
    async with open_stream(api.http) as stream:
        last = (await stream.next()).id
    await api.submit("While nobody listened")
    await api.ended(*id_of("While nobody listened"))
    async with open_stream(replica, last_event_id=last) as stream:
        missed = await stream.next()
        assert [one["name"] for one in missed.data["submissions"]] == ["While nobody listened"]
        assert missed.id not in {None, last}
    async with open_stream(api.http, last_event_id=missed.id) as stream:
        nothing = await stream.next()
        assert (nothing.data["submissions"], nothing.id) == ([], None)


async def test_the_header_counts_more_than_the_query_which_a_browser_repeats(api: Api) -> None:
    async with open_stream(api.http) as stream:
        first = (await stream.next()).id
    await api.submit("Told before")
    await api.ended(*id_of("Told before"))
    async with open_stream(api.http, query={"last_event_id": first}) as stream:
        missed = await stream.next()
        assert [one["name"] for one in missed.data["submissions"]] == ["Told before"]
    async with open_stream(api.http, last_event_id=missed.id, query={"last_event_id": first}) as stream:
        assert (await stream.next()).data["submissions"] == []


async def test_what_comes_from_heartbeats_is_told_without_an_id(api: Api) -> None:
    async with open_stream(api.http, query={"id": id_of("not about this one")}) as stream:
        await stream.next("snapshot")
        assert (await api.ask("POST", "/worker/pause", json={"paused": True})).is_success
        paused = await stream.next()
        assert (paused.name, paused.id, paused.data["submissions"]) == ("changes", None, [])
        assert paused.data["counts"]["articles"]["waiting_for"]["reason"] == "paused"
        await api.ask("POST", "/worker/pause", json={"paused": False})
        assert (await stream.next()).data["counts"]["articles"]["waiting_for"] is None
        api.deployment.services[TOPIC_WORKER].kill()
        assert (await stream.next()).data["counts"]["topics"]["live_workers"] == 0
        api.deployment.services[TOPIC_WORKER].start()
        assert (await stream.next(within=30)).data["counts"]["topics"]["live_workers"] == 1


@pytest.mark.parametrize(
    ("query", "headers", "field"),
    [
        ({"kind": "card"}, {}, "kind[0]"),
        ({"id": [str(n) for n in range(101)]}, {}, "id"),
        ({"id": "a\0b"}, {}, "id[0]"),
        ({"last_event_id": "7"}, {}, "last_event_id"),
        ({}, {"Last-Event-ID": f"{'0' * 32}:1.x"}, "last_event_id"),
        ({"since": "yesterday"}, {}, "since"),
    ],
)
async def test_a_query_that_means_nothing_names_the_field(
    api: Api, query: dict[str, str], headers: dict[str, str], field: str
) -> None:
    answer = await api.ask("GET", "/events", params=query, headers=headers)
    assert problem(answer, 422)["errors"][0]["field"] == field


async def test_head_answers_at_once(api: Api) -> None:
    head = await api.http.head("/api/v1/events", timeout=5)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")


async def test_open_streams_are_counted_and_their_age_is_no_request_time(api: Api) -> None:
    async def none_is_open() -> bool:
        return await _metric(api, "topicflow_event_streams ") == "0.0"

    async with open_stream(api.http) as stream:
        await stream.next()
        assert not await none_is_open()
        await asyncio.sleep(2.6)  # longer than any of these requests takes on a busy machine
    await eventually(none_is_open, within=5)
    slow = await _metric(api, 'topicflow_http_request_seconds_bucket{le="2.5",method="GET",route="/api/v1/events"')
    every = await _metric(api, 'topicflow_http_request_seconds_count{method="GET",route="/api/v1/events",status="200"}')
    assert slow == every


async def _metric(api: Api, start: str) -> str:
    lines = (await api.http.get("/metrics")).text.splitlines()
    return next(line.rpartition(" ")[2] for line in lines if line.startswith(start))


async def test_streams_end_when_the_api_is_stopped(api: Api) -> None:
    """Cleanly, and soon: no client is waited for."""
    process = api.deployment.services["api"]
    async with open_stream(api.http) as stream, open_stream(api.http, query={"id": id_of("x")}) as other:
        await stream.next()
        began = time.monotonic()
        process.signal(signal.SIGTERM)
        await asyncio.gather(stream.rest(), other.rest())
        assert time.monotonic() - began < 5
    await asyncio.to_thread(process.running.wait, 20)  # type: ignore[union-attr]
    process.start()
    await Api(api.deployment, api.http).up()


@pytest.fixture
def keyed(stacks: Stacks, tmp_path: Path) -> Iterator[Keyed]:
    with stacks.shared(tmp_path) as stack:
        keyed = Keyed(stack, tmp_path)
        yield keyed
        keyed.end()


async def test_a_stream_ends_when_its_key_is_revoked(keyed: Keyed) -> None:
    key = await keyed.create("listener", "read")
    async with keyed.called_from_elsewhere() as api:
        api.http.headers.update(bearer(key)["headers"])
        async with open_stream(api.http) as stream:
            await stream.next("snapshot")
            await keyed.revoke("listener")
            await stream.rest(within=12)
