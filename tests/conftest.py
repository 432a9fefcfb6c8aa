"""Fixtures for all kinds of tests."""

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
from servers.stack import KAFKA, STACKS, VALKEY, KafkaAndPostgres, ValkeyAndSqlite

from shared.streams import PROJECTOR


def pytest_configure() -> None:
    """A shell ignores SIGINT in background jobs, and every process of a test would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--on",
        choices=[*STACKS, "both"],
        default=VALKEY,
        help="stack of tests that run on either; default: %(default)s",
    )
    parser.addoption("--quick", action="store_true", help="leave out tests that need Kafka or PostgreSQL")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out other stacks than the one asked for; tests that are about one of them run always."""
    stack = config.getoption("--on")
    left_out = {item for item in items if stack != "both" and _stack_of(item) not in (None, stack)}
    if config.getoption("--quick"):
        left_out |= {item for item in items if _needs_kafka_or_postgresql(item)}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def _needs_kafka_or_postgresql(item: pytest.Item) -> bool:
    of = getattr(item, "callspec", None)
    is_on_one = of is not None and not {"kafka", "postgresql", KAFKA}.isdisjoint(map(str, of.params.values()))
    fixtures = {"kafka_server", "own_kafka", "postgres_server", "own_postgres", "postgres_url"}
    return is_on_one or not fixtures.isdisjoint(getattr(item, "fixturenames", ()))


def _stack_of(item: pytest.Item) -> str | None:
    """None if it has no stack, or a fixed one."""
    is_its_own = any(marker.args[0] == "stacks" for marker in item.iter_markers("parametrize"))
    of = getattr(item, "callspec", None)
    return of.params.get("stacks") if of and not is_its_own else None


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A running broker for one test."""
    server = ValkeyServer(tmp_path / "valkey")
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests, each with its own prefix; they must not break it."""
    with shared("TOPICFLOW_TEST_KAFKA_URL", lambda: a_kafka(tmp_path_factory.mktemp("kafka"))) as server:
        yield server


@pytest.fixture
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., OwnServer]]:
    """Starts one that the test may break. With `listeners` or `scram`, as KafkaServer has them: no container."""
    with ExitStack() as opened:

        def start(**options: Any) -> OwnServer:
            folder = tmp_path_factory.mktemp("own-kafka")
            return opened.enter_context(started(lambda: KafkaServer(folder, **options) if options else a_kafka(folder)))

        yield start


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests, each with its own database in it."""
    with shared("TOPICFLOW_TEST_POSTGRES_URL", lambda: a_postgres(tmp_path_factory.mktemp("postgres"))) as server:
        yield server


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """One that the test may break, running."""
    with started(lambda: a_postgres(tmp_path_factory.mktemp("own-postgres"))) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """An empty database for one test."""
    with own_database(postgres_server.url) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Returns the URL of a new, empty database each time."""
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
    """Broker and database of all tests: each kind once."""
    if request.param == VALKEY:
        return ValkeyAndSqlite()
    return KafkaAndPostgres(request.getfixturevalue("kafka_server"), request.getfixturevalue("postgres_server"))


@pytest.fixture
def stack(request: pytest.FixtureRequest, stacks: Stacks, tmp_path: Path) -> Iterator[Stack]:
    """A broker and a database that the test sees as its own; really its own if it breaks the broker."""
    if request.node.get_closest_marker("breaks_the_broker"):
        with stacks.own(tmp_path) as stack:
            stack.broker.start()
            yield stack
    else:
        with stacks.shared(tmp_path) as stack:
            yield stack


@pytest.fixture
def deployment(tmp_path: Path, stack: Stack) -> Iterator[Deployment]:
    """Broker and simulator of Gemini run; no service yet."""
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
