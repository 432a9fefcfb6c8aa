"""The API while broker, database, worker or projector are down, and after they are back."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from eventually import eventually
from integration.api import Api, problem, started
from integration.broker_data_loss import lose_group
from integration.databases import locked
from integration.projected import Projected
from servers import Deployment, GeminiSimulator, Stacks
from servers.found import OwnServer

from shared.messaging.broker import START
from shared.streams import PROJECTOR, SUBMISSION_OUTCOMES, TOPIC_SUBMISSIONS


@pytest.fixture(scope="module")
def breakable(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("breakable")
    with stacks.own(folder) as stack:
        stack.broker.start()
        deployed = started(stack, folder)
        yield deployed
        deployed.end()


@pytest.fixture
async def own(breakable: Deployment) -> AsyncIterator[Api]:
    """A complete deployment that tests may break and must repair."""
    async with breakable.client() as client:
        yield await Api(breakable, client).ready()


@pytest.fixture
async def alone(stacks: Stacks, tmp_path: Path) -> AsyncIterator[Api]:
    """An API without other services; its broker is not started yet."""
    with stacks.own(tmp_path) as stack:
        deployed = Deployment(tmp_path, stack, GeminiSimulator(tmp_path))
        deployed.add("api", "api-1")
        async with deployed.client() as client:
            api = Api(deployed, client)
            await api.answers()
            yield api
        deployed.end()


def _freeze(broker: OwnServer) -> Callable[[], None]:
    broker.freeze()
    return broker.thaw


def _kill(broker: OwnServer) -> Callable[[], None]:
    broker.kill()
    return broker.start


@pytest.mark.parametrize("break_", [pytest.param(_freeze, marks=pytest.mark.slow), _kill], ids=["frozen", "dead"])
async def test_without_a_broker_submitting_soon_gets_503_reads_work_and_a_retry_is_the_same_submission(
    own: Api, break_: Callable[[OwnServer], Callable[[], None]]
) -> None:
    title = f"While it is {break_.__name__}"
    [before] = (await own.submit(f"Before: {title}"))["topics"]
    await own.ended(before["id"])
    repair = break_(own.deployment.stack.broker)
    try:
        began = time.monotonic()
        refused = await own.ask("POST", "/topics", json={"topics": [title]})
        assert time.monotonic() - began < 12
        assert "Retrying is safe: it is the same submission" in problem(refused, 503)["detail"]
        assert int(refused.headers["retry-after"]) > 0
        await _assert_reads_work(own, before["id"])
    finally:
        repair()
    await eventually(lambda: _is_taken(own, title), within=20)
    [topic] = (await own.submit(title))["topics"]
    [completed] = await own.ended(topic["id"])
    assert completed["attempt"] == 1
    assert (await own.get("/topics", search=title))["total_count"] == 2
    assert own.deployment.gemini.calls["titles"][title] == 1


async def _assert_reads_work(api: Api, id_: str) -> None:
    for path in (f"/topics/{id_}", "/topics", "/processing-status"):
        began = time.monotonic()
        answer = await api.get(path)
        assert time.monotonic() - began < 1.5
        assert (answer["projection_lag_seconds"], answer["as_of"] is not None) == (None, True)
    began = time.monotonic()
    problem(await api.ask("GET", "/topics/unknown"), 404)
    assert time.monotonic() - began < 2
    assert (await api.http.get("/live")).status_code == 200
    ready = await api.http.get("/ready")
    assert (ready.status_code, ready.json()["broker"]["status"]) == (503, "unavailable")
    assert (await api.http.get("/health")).json()["status"] == "unavailable"


async def _is_taken(api: Api, title: str) -> bool:
    answer = await api.ask("POST", "/topics", json={"topics": [title]})
    assert answer.status_code in {202, 503}, answer.text
    return answer.status_code == 202


async def test_a_killed_worker_is_noticed_within_five_seconds_and_its_return_too(own: Api) -> None:
    own.deployment.services["topic-worker-1"].kill()
    killed = time.monotonic()

    async def is_running() -> bool:
        return bool((await own.get("/worker-status"))["worker_running"])

    async def is_not_running() -> bool:
        return not await is_running()

    assert await is_running()  # its last heartbeat is not old yet
    await eventually(is_not_running, within=5.2)
    assert time.monotonic() - killed < 5.2
    status = await own.get("/worker-status")
    assert (status["workers"], status["message"]) == ([], "no topic-worker is running; 0 topics are waiting")
    own.deployment.services["topic-worker-1"].start()
    await eventually(is_running, within=10)


async def test_an_api_started_first_reports_what_is_missing_and_recovers_by_itself(alone: Api) -> None:
    problem(await alone.ask("POST", "/topics", json={"topics": ["Too early"]}), 503)
    problem(await alone.ask("GET", "/topics"), 503)
    ready = await alone.http.get("/ready")
    assert (ready.status_code, ready.json()["broker"]["status"], ready.json()["database"]["status"]) == (
        503,
        "unavailable",
        "unavailable",
    )
    alone.deployment.stack.broker.start()
    alone.deployment.gemini.start()
    alone.deployment.add(PROJECTOR, "projector-1")
    alone.deployment.add("topic-worker", "topic-worker-1")
    await alone.ready()
    [topic] = (await alone.submit("Too early"))["topics"]
    await alone.ended(topic["id"])


async def test_without_a_database_nothing_is_submitted(alone: Api) -> None:
    """Without it the API cannot decide whether a title is skipped."""
    alone.deployment.stack.broker.start()

    async def broker_is_there() -> bool:
        return bool((await alone.http.get("/ready")).json()["broker"]["status"] == "ok")

    await eventually(broker_is_there, within=10)
    for method, path in (("POST", "/topics"), ("GET", "/topics"), ("GET", "/topics/x"), ("GET", "/processing-status")):
        refused = await alone.ask(method, path, json={"topics": ["x"]} if method == "POST" else None)
        assert "the database does not answer" in problem(refused, 503)["detail"]
        assert refused.headers["retry-after"]
    assert "the database does not answer" in (await alone.http.get("/ready")).json()["database"]["detail"]


async def test_nothing_is_published_before_the_streams_have_their_groups(alone: Api) -> None:
    """A stream with an entry and without a group looks like a lost group, and workers would not start."""
    projected = await Projected(alone.deployment.database_url).open()
    starting = asyncio.create_task(asyncio.to_thread(alone.deployment.stack.broker.start))
    await eventually(lambda: _is_taken(alone, "The first one"), within=20, every=0)
    await starting
    worker = alone.deployment.add("topic-worker", "topic-worker-1")
    transport = alone.deployment.stack.connect()

    async def it_works() -> bool:
        ends = await transport.end_positions([SUBMISSION_OUTCOMES.name])
        return any(end != START for of in ends.values() for end in of.values())

    await eventually(it_works, within=20)
    assert worker.is_alive
    await transport.close()
    await projected.close()


async def test_reads_work_while_another_connection_holds_a_write_lock(own: Api) -> None:
    [topic] = (await own.submit("Readable"))["topics"]
    await own.ended(topic["id"])
    with locked(own.deployment.database_url):
        began = time.monotonic()
        assert (await own.get("/topics", search="readable"))["total_count"] == 1
        assert (await own.ask("POST", "/topics", json={"topics": ["Readable", "More"]})).status_code == 202
        assert time.monotonic() - began < 1
    await own.ended((await own.submit("More"))["topics"][0]["id"])


async def test_a_stop_is_quick_and_clean(own: Api) -> None:
    process = own.deployment.services["api-1"]
    began = time.monotonic()
    assert process.stop() in {0, -signal.SIGTERM}
    assert time.monotonic() - began < 3
    assert "Traceback" not in process.output
    process.start()


async def test_ready_and_health_report_a_lost_consumer_group(deployment: Deployment) -> None:
    for service in ("api", PROJECTOR):
        deployment.add(service)
    async with deployment.client() as client:
        await Api(deployment, client).up()
        await lose_group(deployment.stack, TOPIC_SUBMISSIONS, "topic-worker")
        assert (await client.get("/ready")).status_code == 503
        health = (await client.get("/health")).json()
        assert health["status"] == "unavailable"
        assert "topic-worker" in health["broker"]["detail"]
