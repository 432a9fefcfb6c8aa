"""`topicflow up`: start, refusals, restarts of dead children, no process left behind, nothing lost."""

import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from e2e.local_mode import CHILDREN, COMMAND, LocalMode, run
from eventually import eventually
from servers import free_port

Up = Callable[..., LocalMode]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    started: list[LocalMode] = []

    def start(*arguments: str, port: int | None = None, **more: str) -> LocalMode:
        started.append(LocalMode(tmp_path, *arguments, port=port, **more))
        return started[-1]

    yield start
    for local_mode in started:
        local_mode.end()


@pytest.mark.alone
async def test_up_is_ready_within_seconds_and_prints_its_url_and_that_gemini_is_simulated(up: Up) -> None:
    began = time.monotonic()
    local_mode = await up().ready()
    assert time.monotonic() - began < 15  # 5 on a machine that does nothing else
    assert set(local_mode.children()) == CHILDREN
    assert "Gemini is simulated" in local_mode.out
    assert "\x1b" not in local_mode.out
    assert (local_mode.data / "url").read_text().strip() == local_mode.url
    assert local_mode.get("/api/v1/worker-status").json()["worker_running"] is True


async def test_files_are_private_and_secrets_reach_only_the_services_that_need_them(up: Up) -> None:
    local_mode = await up(GEMINI_API_KEY="the-key", GOOGLE_GEMINI_BASE_URL="http://127.0.0.1:9").ready()
    assert stat.S_IMODE(local_mode.data.stat().st_mode) == 0o700
    for path in local_mode.data.rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    children = local_mode.children()
    knowing = {name for name, child in children.items() if child.environ().get("GEMINI_API_KEY") == "the-key"}
    with_database = {name for name, child in children.items() if "TOPICFLOW_DATABASE_URL" in child.environ()}
    assert knowing == {"topic_worker"}
    assert with_database == {"api", "status_projector"}
    assert set(children) == CHILDREN - {"simulators.gemini", "simulators.catalog", "enricher"}


async def test_a_second_instance_on_the_same_data_is_refused_in_one_line(up: Up) -> None:
    first = await up().ready()
    second = run(first.data, "up", "--port", str(free_port()))
    assert second.code == 3
    assert second.err == f"topicflow: topicflow is already running on {first.data}, at {first.url}\n"
    assert second.out == ""
    assert (first.data / "url").read_text().strip() == first.url


def test_a_busy_port_is_refused_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        refused = run(tmp_path / "data", "up", "--port", str(port))
    assert (refused.code, refused.err) == (3, f"topicflow: port {port} is in use: choose another one with --port\n")


def test_a_folder_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = run(tmp_path / "file" / "data", "up", "--port", str(free_port()))
    assert refused.code == 2
    assert refused.err.startswith(f"topicflow: cannot write the data folder {tmp_path}/file/data: ")
    assert refused.err.count("\n") == 1


def test_a_missing_file_of_titles_is_refused_before_anything_starts(tmp_path: Path) -> None:
    refused = run(tmp_path / "data", "up", "--submit", "missing.txt")
    assert (refused.code, refused.err) == (2, "topicflow: cannot read missing.txt: No such file or directory\n")
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
async def test_an_invalid_setting_of_a_service_ends_up_with_the_reason(up: Up) -> None:
    local_mode = up(TOPICFLOW_IN_FLIGHT="many")
    assert await local_mode.exit_code() == 2
    assert "TOPICFLOW_IN_FLIGHT" in local_mode.out.splitlines()[-1]


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
async def test_a_signal_stops_up_cleanly_and_leaves_no_process(up: Up, number: signal.Signals) -> None:
    local_mode = await up().ready()
    local_mode.signal(number)
    assert await local_mode.exit_code() == 0
    assert local_mode.living() == []
    assert not (local_mode.data / "url").exists()


async def test_an_interrupt_stops_up_in_the_background_of_a_shell_too(up: Up) -> None:
    """A shell starts background jobs with SIGINT ignored."""
    in_background = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh", *COMMAND)
    local_mode = await up(command=in_background).ready()
    local_mode.signal(signal.SIGINT)
    assert await local_mode.exit_code() == 0
    assert local_mode.living() == []


async def test_a_signal_during_the_start_stops_up_cleanly(up: Up) -> None:
    local_mode = up()
    await eventually(lambda: len(local_mode.children()) >= 3, within=10)
    local_mode.signal(signal.SIGINT)
    assert await local_mode.exit_code() == 0
    assert local_mode.living() == []


@pytest.mark.slow
async def test_a_second_interrupt_does_not_wait_for_a_child_that_hangs(up: Up) -> None:
    local_mode = await up().ready()
    local_mode.children()["api"].suspend()
    local_mode.signal(signal.SIGINT)
    await eventually(lambda: "Stopping" in local_mode.out, within=5)
    local_mode.signal(signal.SIGINT)
    assert await local_mode.exit_code(within=3) == 0
    assert local_mode.living() == []


@pytest.mark.slow
async def test_even_kill_9_leaves_no_process_and_the_next_start_resumes(up: Up) -> None:
    first = await up().ready()
    assert first.run("submit", "Raft", "--wait").code == 0
    first.process.kill()
    second = await up(port=first.port).ready()
    assert first.living() == []
    assert second.run("topics", "show", "Raft").code == 0


async def test_a_killed_child_is_restarted_within_a_second_and_work_continues(up: Up) -> None:
    local_mode = await up().ready()
    for name in sorted(CHILDREN):
        killed = local_mode.children()[name]
        killed.kill()
        await eventually(partial(_another, local_mode, name, killed.pid), within=1)
        await eventually(lambda: _answers(local_mode), within=20)
        waited = local_mode.run("submit", f"after {name} was killed", "--wait")
        assert waited.code == 0, waited
    assert local_mode.process.poll() is None


@pytest.mark.slow
async def test_submissions_survive_a_restart(up: Up) -> None:
    first = await up().ready()
    assert first.run("submit", "Raft", "Paxos", "--wait").code == 0
    before = first.get("/api/v1/processing-status").json()
    first.signal(signal.SIGINT)
    assert await first.exit_code() == 0
    second = await up().ready()
    after = second.get("/api/v1/processing-status").json()
    assert after["completed_count"] == before["completed_count"] == 2
    assert second.run("submit", "raft").out == "0 topics submitted, 1 skipped (already completed or in progress)\n"


async def test_the_titles_of_a_file_are_submitted_and_followed_to_their_end(up: Up, tmp_path: Path) -> None:
    titles = tmp_path / "topics.txt"
    titles.write_text("# twelve\n" + "\n".join(f"topic {n}" for n in range(12)))
    local_mode = await up("--submit", str(titles)).ready()
    await eventually(lambda: "12 of 12 completed\n" in local_mode.out, within=30)
    assert local_mode.process.poll() is None
    assert local_mode.get("/api/v1/processing-status").json()["completed_count"] == 12


def _another(local_mode: LocalMode, name: str, pid: int) -> psutil.Process | None:
    child = local_mode.children().get(name)
    return child if child and child.pid != pid else None


def _answers(local_mode: LocalMode) -> bool:
    try:
        status = local_mode.get("/api/v1/worker-status")
    except httpx.TransportError:
        return False
    return status.status_code == 200 and bool(status.json()["worker_running"])
