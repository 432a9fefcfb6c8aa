"""Fixtures that every kind of test may use."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from integration.api import Api
from integration.databases import sqlite_in
from servers import Deployment, GeminiSimulator, KafkaServer, Stack, Stacks, ValkeyServer
from servers.found import OwnServer, Server, a_kafka, a_postgres, shared, started
from servers.postgres import own_database
from servers.stack import STACKS, VALKEY, KafkaAndPostgres, ValkeyAndSqlite

from shared.streams import PROJECTOR


def pytest_configure() -> None:
    """A shell starts what runs in the background with SIGINT ignored, which every process of a test would inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--on", choices=[*STACKS, "both"], default=VALKEY, help="what services of tests stand on that run on either"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what would run on another stack than wanted; what is about one of them runs on it always."""
    wanted = config.getoption("--on")
    left_out = [item for item in items if wanted != "both" and _stack_of(item) not in (None, wanted)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _stack_of(item: pytest.Item) -> str | None:
    """None where it has none, or one of its own."""
    is_its_own = any(marker.args[0] == "stacks" for marker in item.iter_markers("parametrize"))
    of = getattr(item, "callspec", None)
    return of.params.get("stacks") if of and not is_its_own else None


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A broker of the test's own, running."""
    server = ValkeyServer(tmp_path / "valkey")
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests, which share it by prefixes of their own and do not break it."""
    with shared("TOPICFLOW_TEST_KAFKA_URL", lambda: a_kafka(tmp_path_factory.mktemp("kafka"))) as server:
        yield server


@pytest.fixture
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., OwnServer]]:
    """Starts one that the test may break. With `listeners` or `scram`, as KafkaServer has them: no container."""
    with ExitStack() as opened:

        def start(**told: Any) -> OwnServer:
            folder = tmp_path_factory.mktemp("own-kafka")
            return opened.enter_context(started(lambda: KafkaServer(folder, **told) if told else a_kafka(folder)))

        yield start


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests, each with a database of its own in it."""
    with shared("TOPICFLOW_TEST_POSTGRES_URL", lambda: a_postgres(tmp_path_factory.mktemp("postgres"))) as server:
        yield server


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """One that the test may break, running."""
    with started(lambda: a_postgres(tmp_path_factory.mktemp("own-postgres"))) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """An empty database of the test's own."""
    with own_database(postgres_server.url) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Answers the URL of an empty database, a new one each time."""
    with ExitStack() as opened:

        def new() -> str:
            if request.param == "postgresql":
                return opened.enter_context(own_database(request.getfixturevalue("postgres_server").url))
            return sqlite_in(tmp_path / uuid4().hex)

        yield new


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture(scope="session", params=STACKS)
def stacks(request: pytest.FixtureRequest) -> Stacks:
    """What everything is run on: once on each."""
    if request.param == VALKEY:
        return ValkeyAndSqlite()
    return KafkaAndPostgres(request.getfixturevalue("kafka_server"), request.getfixturevalue("postgres_server"))


@pytest.fixture
def stack(request: pytest.FixtureRequest, stacks: Stacks, tmp_path: Path) -> Iterator[Stack]:
    """A broker and a database of the test's own, as far as it can see; its own in truth if it breaks the broker."""
    if request.node.get_closest_marker("breaks_the_broker"):
        with stacks.own(tmp_path) as stack:
            stack.broker.start()
            yield stack
    else:
        with stacks.shared(tmp_path) as stack:
            yield stack


@pytest.fixture
def deployment(tmp_path: Path, stack: Stack) -> Iterator[Deployment]:
    """Broker and Gemini's simulator run, no service yet."""
    gemini = GeminiSimulator(tmp_path)
    gemini.start()
    deployed = Deployment(tmp_path, stack, gemini)
    yield deployed
    deployed.end()


@pytest.fixture
async def running(deployment: Deployment) -> Deployment:
    """One replica of each service, ready."""
    for service in ("api", PROJECTOR, "topic-worker"):
        deployment.add(service, f"{service}-1")
    async with deployment.client() as client:
        await Api(deployment, client).ready()
    return deployment
