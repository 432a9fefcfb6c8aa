"""`topicflow up` with an external broker and database: it starts only what is missing."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from e2e.local_mode import CHILDREN, LocalMode, run
from eventually import eventually
from servers import Stack, ValkeyServer, free_port
from servers.stack import ON_VALKEY

from shared.settings import without_secrets

Up = Callable[..., LocalMode]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    started: list[LocalMode] = []

    def start(*arguments: str, **more: str) -> LocalMode:
        started.append(LocalMode(tmp_path, *arguments, port=None, **more))
        return started[-1]

    yield start
    for local_mode in started:
        local_mode.end()


def settings_of(stack: Stack) -> dict[str, str]:
    return {**stack.settings, "TOPICFLOW_DATABASE_URL": stack.database_url}


def instances(local_mode: LocalMode) -> list[str]:
    return [worker["instance"] for worker in local_mode.get("/api/v1/worker-status").json()["workers"]]


async def test_three_workers_share_the_work_and_a_killed_one_is_restarted(up: Up, stack: Stack, tmp_path: Path) -> None:
    titles = tmp_path / "topics.txt"
    titles.write_text("\n".join(f"topic {n}" for n in range(50)))
    local_mode = await up("--workers", "3", "--submit", str(titles), **settings_of(stack)).ready()
    assert f"Broker: {stack.broker_url}; database: {without_secrets(stack.database_url)}\n" in local_mode.out
    assert set(local_mode.children()) == CHILDREN - {"valkey-server"}
    await eventually(lambda: "50 of 50 completed\n" in local_mode.out, within=60)
    await eventually(lambda: len(instances(local_mode)) == 3, within=30)
    for number, name in enumerate(instances(local_mode), 1):
        assert name.endswith(f"-{local_mode.port}-topic-worker-{number}")
        assert name in local_mode.run("status").out
    workers = local_mode.workers()
    workers[1].kill()
    await eventually(lambda: len(set(local_mode.workers()) - set(workers)) == 1, within=10)
    await eventually(lambda: len(local_mode.workers()) == len(instances(local_mode)) == 3, within=30)
    assert local_mode.run("submit", "one more", "--wait").code == 0
    assert not (local_mode.data / "topicflow.db").exists()
    local_mode.signal(signal.SIGINT)
    assert await local_mode.exit_code(within=60) == 0
    assert local_mode.living() == []


@pytest.mark.slow
@ON_VALKEY
async def test_old_settings_select_an_external_redis_which_is_left_running_with_its_data(up: Up, stack: Stack) -> None:
    port = stack.broker_url.rpartition(":")[2].partition("/")[0]
    first = await up(REDIS_HOST="127.0.0.1", REDIS_PORT=port).ready()
    assert f"Broker: redis://127.0.0.1:{port}/0; database: SQLite in the data folder\n" in first.out
    assert set(first.children()) == CHILDREN - {"valkey-server"}
    assert first.run("submit", "Raft", "--wait").code == 0
    first.signal(signal.SIGINT)
    assert await first.exit_code() == 0
    second = await up("--broker-url", stack.broker_url).ready()
    assert second.run("topics", "show", "Raft").code == 0


@pytest.mark.slow
async def test_secrets_are_in_no_output_and_no_argument(up: Up, tmp_path: Path) -> None:
    valkey = ValkeyServer(tmp_path / "valkey", requirepass="the-secret")
    valkey.start()
    try:
        url = tmp_path / "broker-url"
        url.write_text(f"{valkey.url}\n")
        local_mode = await up(TOPICFLOW_BROKER_URL_FILE=str(url)).ready()
        assert f"Broker: redis://127.0.0.1:{valkey.port}/0; " in local_mode.out
        assert "the-secret" not in local_mode.out
        for child in psutil.Process(local_mode.process.pid).children(recursive=True):
            assert not [word for word in child.cmdline() if "the-secret" in word]
        assert not [log for log in (local_mode.data / "logs").iterdir() if "the-secret" in log.read_text()]
        local_mode.signal(signal.SIGINT)
        assert await local_mode.exit_code() == 0
    finally:
        valkey.end()


@pytest.mark.slow
async def test_up_waits_for_an_unreachable_broker_and_reports_it(up: Up, tmp_path: Path) -> None:
    valkey = ValkeyServer(tmp_path / "valkey")
    local_mode = up("--broker-url", valkey.url)
    await eventually(lambda: "Waiting for the broker: " in local_mode.out, within=30)
    assert local_mode.out.count("Waiting for") == 1
    valkey.start()
    try:
        await local_mode.ready()
    finally:
        valkey.end()


@pytest.mark.slow
async def test_an_interrupt_ends_up_while_it_waits(up: Up) -> None:
    local_mode = up("--broker-url", f"kafka://127.0.0.1:{free_port()}")
    await eventually(lambda: "Waiting for the broker: " in local_mode.out, within=30)
    local_mode.signal(signal.SIGINT)
    assert await local_mode.exit_code() == 0
    assert local_mode.living() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--broker-url", "ftp://u:secret@x"],
        ["--broker-url", "kafka://u:secret@x:1"],
        ["--database-url", "mysql://u:secret@x/y"],
        ["--workers", "0"],
        ["--workers", "65"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_refused_before_anything_starts(tmp_path: Path, arguments: list[str]) -> None:
    refused = run(tmp_path / "data", "up", *arguments)
    assert (refused.code, refused.out, "secret" in refused.err) == (2, "", False)
    assert not (tmp_path / "data").exists()
    if "--workers" not in arguments:
        assert refused.err.startswith("topicflow: TOPICFLOW_")
        assert refused.err.count("\n") == 1


@pytest.mark.slow
async def test_provision_finds_the_broker_of_up(up: Up) -> None:
    local_mode = await up().ready()
    ran = local_mode.run("provision")
    assert (ran.code, ran.out, ran.err) == (0, "nothing to do\n", "")
