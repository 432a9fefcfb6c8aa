"""Kafka and PostgreSQL on this machine, as developers start them and as tests do."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from eventually import eventually
from servers import LOOPBACK, PostgresServer, Process, free_port
from servers.found import OwnServer, started
from servers.postgres import lives

from local_processes.errors import Failed

STREAM = "kept"
URLS = {
    "kafka": "TOPICFLOW_BROKER_URL=kafka://{at}",
    "postgres": "TOPICFLOW_DATABASE_URL=postgresql://topicflow@{at}/topicflow",
}
Named = pytest.mark.parametrize("name", ["kafka", "postgres"])


def command(name: str, port: int, folder: Path) -> list[str]:
    return [sys.executable, "-m", "local_servers", name, "--port", str(port), "--data", str(folder / name)]


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[OwnServer]:
    with started(lambda: PostgresServer(tmp_path / "postgres")) as server:
        yield server


@asynccontextmanager
async def producer(server: OwnServer) -> AsyncIterator[AIOKafkaProducer]:
    client = AIOKafkaProducer(bootstrap_servers=address(server), acks="all", request_timeout_ms=5_000)
    await client.start()
    yield client
    await client.stop()


async def make_stream(server: OwnServer) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address(server))
    await admin.start()
    await admin.create_topics([NewTopic(STREAM, 1, 1)])
    await admin.close()


async def first_event(server: OwnServer) -> object:
    consumer = AIOKafkaConsumer(bootstrap_servers=address(server), auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(STREAM, 0)])
    event = await consumer.getone()
    await consumer.stop()
    return event.value


def address(server: OwnServer) -> str:
    return server.url.removeprefix("kafka://")


@pytest.mark.slow
async def test_kafka_keeps_acknowledged_records_after_kill_9(own_kafka: Callable[[], OwnServer]) -> None:
    kafka = own_kafka()
    await make_stream(kafka)
    async with producer(kafka) as client:
        await client.send_and_wait(STREAM, b"kept")
    kafka.kill()
    kafka.start()
    assert await first_event(kafka) == b"kept"


async def test_a_frozen_kafka_accepts_an_event_after_it_is_thawed(own_kafka: Callable[[], OwnServer]) -> None:
    kafka = own_kafka()
    await make_stream(kafka)
    async with producer(kafka) as client:
        await client.send_and_wait(STREAM, b"before")
        kafka.freeze()
        sent = await client.send(STREAM, b"frozen")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await asyncio.shield(sent)
        kafka.thaw()
        assert (await sent).offset == 1


def test_postgres_keeps_committed_rows_after_kill_9(own_postgres: OwnServer) -> None:
    with psycopg.connect(own_postgres.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
    own_postgres.kill()
    own_postgres.start()
    with psycopg.connect(own_postgres.url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (42,)


async def test_a_frozen_postgres_does_not_answer_until_it_is_thawed(own_postgres: OwnServer) -> None:
    async with await psycopg.AsyncConnection.connect(own_postgres.url, autocommit=True) as connection:
        own_postgres.freeze()
        query = asyncio.ensure_future(connection.execute("SELECT 42"))
        done, _ = await asyncio.wait([query], timeout=0.5)
        assert not done
        own_postgres.thaw()
        assert await (await query).fetchone() == (42,)


async def test_each_test_has_a_database_of_its_own(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE mine ()")
        name = connection.info.dbname
    assert name.startswith("test_")


@pytest.fixture(params=["kafka", "postgres"])
async def foreground(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Process]:
    """`python -m local_servers`, once it has printed its address."""
    port = free_port()
    launcher = Process(command(request.param, port, tmp_path), tmp_path / "output")
    launcher.start()
    line = URLS[request.param].format(at=f"{LOOPBACK}:{port}")
    await eventually(lambda: line in launcher.output, within=60)
    assert line in launcher.output.splitlines()[-1]
    yield launcher
    launcher.end()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
async def test_the_launcher_leaves_no_process_behind_on_any_signal(foreground: Process, number: signal.Signals) -> None:
    assert foreground.running
    processes = psutil.Process(foreground.running.pid).children(recursive=True)
    assert processes
    foreground.signal(number)
    code = foreground.running.wait(30)
    assert code == (-number if number == signal.SIGKILL else 0)
    await eventually(lambda: not any(map(lives, processes)), within=10)


async def test_under_nohup_a_closed_terminal_stops_nothing(tmp_path: Path) -> None:
    port = free_port()
    launcher = Process(["nohup", *command("postgres", port, tmp_path)], tmp_path / "output")
    launcher.start()
    await eventually(lambda: f"{LOOPBACK}:{port}" in launcher.output, within=60)
    launcher.signal(signal.SIGHUP)
    await asyncio.sleep(1)
    assert launcher.is_alive
    assert launcher.stop(within=10) == 0


@pytest.mark.parametrize("foreground", ["postgres"], indirect=True)
async def test_postgres_does_not_wait_for_its_clients(foreground: Process, tmp_path: Path) -> None:
    at = foreground.output.split("TOPICFLOW_DATABASE_URL=")[1].split()[0]
    with psycopg.connect(at):
        assert foreground.stop(within=10) == 0


@Named
def test_a_taken_port_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(command(name, port, tmp_path), capture_output=True, text=True)
    assert ended.stderr == f"local servers: port {port} is in use: choose another one with --port\n"
    assert ended.returncode == 3


def test_missing_java_is_reported_in_one_line(tmp_path: Path) -> None:
    ended = subprocess.run(
        command("kafka", free_port(), tmp_path), capture_output=True, text=True, env={"PATH": str(tmp_path)}
    )
    assert ended.stderr == "local servers: Kafka runs on Java 17 or newer: install a Java runtime\n"
    assert ended.returncode == 1


def test_two_concurrent_starts_fetch_kafka_once(tmp_path: Path) -> None:
    fetched = tmp_path / "fetched"
    maven = tmp_path / "mvn"
    maven.write_text(
        f'#!/bin/sh\necho >> {fetched}; sleep 1; for argument; do :; done; touch "${{argument#*=}}/kafka.jar"\n'
    )
    maven.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path)}
    command_line = [sys.executable, "-c", "from local_servers import kafka_jars; print(kafka_jars.class_path())"]
    both = [subprocess.Popen(command_line, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=30)[0] for process in both]
    assert outputs == [f"{tmp_path}/topicflow/kafka-4.3.1/lib/*\n"] * 2
    assert len(fetched.read_text().splitlines()) == 1


def test_a_server_that_cannot_run_here_skips_the_test_but_fails_it_on_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    def impossible() -> OwnServer:
        raise Failed("no Java")

    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Java"), started(impossible):
        pass
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no Java"), started(impossible):
        pass
