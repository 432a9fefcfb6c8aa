"""`topicflow import` beside a running `topicflow up`: its output, and the result after interruptions."""

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from e2e.local_mode import LocalMode, run
from eventually import eventually
from old_file import OldFile
from servers import free_port


@pytest.fixture
def file(tmp_path: Path) -> OldFile:
    return OldFile(tmp_path / "old.db")


def status(local_mode: LocalMode) -> dict[str, Any]:
    return dict(local_mode.get("/api/v1/processing-status").json())


async def total(local_mode: LocalMode) -> int:
    """The counts, once nothing is in progress and everything is projected."""

    def at_rest() -> dict[str, Any] | None:
        now = status(local_mode)
        return now if now["projection_lag_seconds"] == 0 and not now["is_processing"] else None

    now = await eventually(at_rest, within=60)
    assert now["completed_count"] + now["failed_count"] == now["total_count"]
    return int(now["total_count"])


async def test_a_file_is_imported_and_importing_again_changes_nothing(local_mode: LocalMode, file: OldFile) -> None:
    file.completed(3, "Brought over {n}").topic(374, "The Model's Name").status(
        "My name", "completed", "The Model's Name"
    )
    file.status("Never came", "failed").status("Waits", "pending").status("Lost card", "completed")
    file.topic(400, "brought OVER 2")
    before = await total(local_mode)
    done = local_mode.run("import", str(file.path))
    assert (done.code, done.out.splitlines()[0]) == (0, "4 imported, 2 queued, 2 skipped")
    assert sorted(done.out.splitlines()[1:]) == [
        "  skipped: 1 completed, but its card is not in the file",
        "  skipped: 1 the same topic as one before it",
    ]
    assert await total(local_mode) == before + 6
    shown = json.loads(local_mode.run("topics", "show", "374", "--json").out)
    assert (shown["title"], shown["content"]["title"], shown["simulated"]) == ("My name", "The Model's Name", False)
    again = local_mode.run("import", str(file.path))
    assert (again.code, again.out.splitlines()[0]) == (0, "0 imported, 0 queued, 8 skipped")
    assert await total(local_mode) == before + 6


async def test_a_dry_run_reports_the_verdicts_and_changes_nothing(local_mode: LocalMode, file: OldFile) -> None:
    file.completed(3, "Dry {n}").status("Dry failed", "failed")
    before = await total(local_mode)
    dry = local_mode.run("import", str(file.path), "--dry-run")
    assert (dry.code, dry.out) == (0, "dry run, nothing was changed; would be: 3 imported, 1 queued, 0 skipped\n")
    answer = json.loads(local_mode.run("import", str(file.path), "--dry-run", "--json").out)
    assert answer == {"dry_run": True, "imported": 3, "queued": 1, "skipped": 0, "reasons": {}, "left_out": []}
    assert await total(local_mode) == before


async def test_unusable_rows_are_named_and_the_rest_is_imported(local_mode: LocalMode, file: OldFile) -> None:
    file.topic(1, "  ").topic(2, "x" * 501).topic(3, "Good one").topic(4, "Huge", description="x" * 1_000_000)
    for n in range(20):
        file.status(f"bell {n} \x07", "pending")
    before = await total(local_mode)
    done = local_mode.run("import", str(file.path))
    assert (done.code, done.out) == (1, "1 imported, 0 queued, 0 skipped, 23 left out\n")
    assert done.err.splitlines()[-11:-7] == [
        "topicflow: left out: '': a title must not be blank",
        f"left out: '{'x' * 80}': a title must have at most 500 characters, this one has 501",
        "left out: 'Huge': its card has more than 1,000,000 bytes",
        "left out: 'bell 0 \ufffd': a title must not contain control characters or unpaired surrogates",
    ]
    assert done.err.splitlines()[-1] == "… and 13 more"
    assert await total(local_mode) == before + 1


async def test_a_file_with_unusual_rows_is_imported(local_mode: LocalMode, file: OldFile) -> None:
    odd = {
        "tags": '["\\ud800"]',
        "metrics": "[" * 5000,
        "company": float("inf"),
        "source": b"\xff",
        "difficulty": 2**60,
    }
    file.completed(10, "Odd {n}", **odd).topic(11, "数据库 \U0001f600", tags='["\U0001f600"]', prerequisites="[NaN]")
    done = local_mode.run("import", str(file.path))
    assert (done.code, done.out) == (0, "11 imported, 0 queued, 0 skipped\n")
    await total(local_mode)
    content = json.loads(local_mode.run("topics", "show", "数据库 \U0001f600", "--json").out)["content"]
    assert (content["tags"], content["prerequisites"]) == (["\U0001f600"], "[NaN]")
    assert json.loads(local_mode.run("topics", "show", "odd 7", "--json").out)["content"]["difficulty"] == 2**60


@pytest.mark.slow
async def test_after_any_interruption_the_same_command_resumes_without_duplicates(
    local_mode: LocalMode, file: OldFile
) -> None:
    file.completed(6000, "Interrupted {n}").status("Interrupted and queued", "failed")
    before = await total(local_mode)
    for end in ("interrupt", "kill", "kill the api"):
        progress = status(local_mode)["total_count"]
        importing = local_mode.begin("import", str(file.path))
        await eventually(lambda n=progress: status(local_mode)["total_count"] > n, within=30)  # type: ignore[misc]
        if end == "kill the api":
            local_mode.children()["api"].kill()
        else:
            importing.send_signal(signal.SIGINT if end == "interrupt" else signal.SIGKILL)
        _, err = importing.communicate(timeout=60)
        assert importing.returncode == {"interrupt": 130, "kill": -signal.SIGKILL, "kill the api": 3}[end], err
        if end != "kill":
            assert err.splitlines()[-1].endswith("completed work is kept; run the same command again to continue")
        await eventually(lambda: _answers(local_mode), within=30)
        assert await total(local_mode) < before + 6001
    assert local_mode.run("import", str(file.path)).code == 0
    assert await total(local_mode) == before + 6001
    topic = json.loads(local_mode.run("topics", "show", "Interrupted 4321", "--json").out)
    assert (topic["attempt"], topic["legacy_id"], topic["content"]["title"]) == (1, 4321, "Interrupted 4321")


async def test_the_import_reports_a_broker_outage_and_resumes_afterwards(local_mode: LocalMode, file: OldFile) -> None:
    file.completed(300, "Broker away {n}")
    broker = local_mode.children()["valkey-server"]
    broker.suspend()
    try:
        importing = local_mode.begin("import", str(file.path))
        await eventually(lambda: local_mode.get("/ready").status_code == 503, within=10)
    finally:
        psutil.Process(broker.pid).resume()
    out, err = importing.communicate(timeout=60)
    assert (importing.returncode, out) == (0, "300 imported, 0 queued, 0 skipped\n"), err


def test_a_file_of_another_system_is_reported_in_one_line(tmp_path: Path, file: OldFile) -> None:
    (tmp_path / "text.db").write_text("no database " * 100)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE other (id)")
    for name, what in [
        ("missing.db", "no such file"),
        ("text.db", "file is not a database"),
        ("other.db", "there is no table topics"),
    ]:
        refused = run(tmp_path, "import", str(tmp_path / name))
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
        assert what in refused.err
    unreachable = run(tmp_path, "import", str(file.topic(1, "Raft").path), "--url", f"http://127.0.0.1:{free_port()}")
    assert (unreachable.code, unreachable.err.count("\n")) == (3, 1)


def _answers(local_mode: LocalMode) -> bool:
    try:
        return local_mode.get("/ready").is_success
    except httpx.TransportError:
        return False
