"""The API refuses work while the backlog or the memory of the broker is full, and accepts it again afterwards."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import pytest
from contract.submissions import submitted
from eventually import eventually
from integration.api import Api, Json, problem
from redis import Redis
from servers import Deployment, GeminiSimulator, Stacks, ValkeyServer
from servers.stack import ON_VALKEY

from api.access.admission import BackPressure
from api.errors import NoRoom
from shared.ids import topic_id
from shared.messaging.redis_streams.transport import RedisTransport
from shared.streams import PROJECTOR

MAX_BACKLOG = 20


@pytest.fixture(scope="module")
def limited(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The API accepts 20 submissions; no worker runs until a test starts one."""
    folder = tmp_path_factory.mktemp("limited")
    with stacks.shared(folder) as stack:
        deployed = Deployment(folder, stack, GeminiSimulator(folder))
        deployed.gemini.start()
        deployed.add("api", "api-1", TOPICFLOW_MAX_BACKLOG=str(MAX_BACKLOG))
        deployed.add(PROJECTOR, "projector-1")
        yield deployed
        deployed.end()


@pytest.fixture
async def api(limited: Deployment) -> AsyncIterator[Api]:
    async with limited.client() as client:
        api = Api(limited, client)
        yield await api.up()


async def test_at_the_backlog_limit_work_is_refused_until_it_is_drained(api: Api) -> None:
    titles = [f"Waiting {n}" for n in range(MAX_BACKLOG)]
    await api.submit(*titles)
    await eventually(lambda: _no_room(api), within=5)
    refused = await api.ask("POST", "/topics", json={"topics": ["One too many"]})
    detail = problem(refused, 503)["detail"]
    assert detail == (
        "topic-worker has a backlog of 20 submissions; TOPICFLOW_MAX_BACKLOG is 20. Nothing was stored; retry later"
    )
    assert int(refused.headers["retry-after"]) == 5
    problem(await api.ask("GET", f"/topics/{topic_id('One too many')}"), 404)
    retried = await api.ask("POST", f"/topics/{topic_id(titles[0])}/retry", json={"force": True})
    assert problem(retried, 503)["detail"] == detail
    assert (await api.ask("POST", "/topics", json={"topics": titles[:1]})).status_code == 202  # causes no work
    health = await _health(api)
    assert (health["status"], health["no_room"]) == ("degraded", detail.partition(". ")[0])
    assert health["limits"] == {"memory_share": 0.8, "backlog": MAX_BACKLOG}
    waits = health["lag"]["topic-worker"]
    assert (waits["waiting"], waits["in_flight"], waits["time_to_loss_seconds"]) == (MAX_BACKLOG, 0, None)
    assert 0 < waits["oldest_seconds"] < 60

    api.deployment.add("topic-worker", "topic-worker-1")
    await api.ended(*map(topic_id, titles))
    await eventually(lambda: _has_room(api), within=5)  # known at the next look
    [taken] = (await api.submit("One too many"))["topics"]
    await api.ended(taken["id"])
    health = await _health(api)
    assert (health["no_room"], health["lag"]["topic-worker"]["oldest_seconds"]) == (None, None)


@ON_VALKEY
async def test_above_80_percent_of_the_memory_work_is_refused(api: Api) -> None:
    with closing(Redis.from_url(api.deployment.stack.broker_url)) as broker:
        used = broker.info("memory")["used_memory"]
        broker.config_set("maxmemory", int(used / 0.9))
        await eventually(lambda: _no_room(api), within=5)
        refused = await api.ask("POST", "/topics", json={"topics": ["Too big"]})
        detail = problem(refused, 503)["detail"]
        assert detail.startswith("The broker's memory is ")
        assert detail.endswith(" full; new work is refused from 80% on. Nothing was stored; retry later")
        assert refused.headers["retry-after"]
        assert 0.8 < (await _health(api))["memory_share"] < 1
        broker.config_set("maxmemory", 0)
    await eventually(lambda: _has_room(api), within=5)
    await api.submit("Too big")
    assert (await _health(api))["memory_share"] is None


async def test_the_last_known_memory_of_an_unreachable_broker_refuses_nothing(valkey: ValkeyServer) -> None:
    transport = RedisTransport(valkey.url)
    await transport.provision()
    await transport.client.config_set("maxmemory", 1)
    pressure = BackPressure(transport, MAX_BACKLOG)
    work = [submitted("Chat System")]
    await pressure.require_room(work)
    looking = asyncio.create_task(pressure.poll_backlog())
    await eventually(lambda: pressure.load, within=5)
    with pytest.raises(NoRoom, match="memory"):
        await pressure.require_room(work)
    await pressure.require_room([])
    valkey.freeze()
    await eventually(lambda: pressure.load is None, within=5)
    await pressure.require_room(work)
    valkey.thaw()
    await eventually(lambda: pressure.load, within=5)
    looking.cancel()
    await asyncio.wait([looking])
    await transport.close()


async def _no_room(api: Api) -> bool:
    return (await _health(api))["no_room"] is not None


async def _has_room(api: Api) -> bool:
    return not await _no_room(api)


async def _health(api: Api) -> Json:
    return dict((await api.http.get("/health")).json())
