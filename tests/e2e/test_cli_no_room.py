"""`topicflow submit` with more titles than the backlog allows: it waits, says why, and resumes."""

import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from e2e.local_mode import LocalMode
from eventually import eventually

pytestmark = pytest.mark.slow

REFUSED = "TOPICFLOW_MAX_BACKLOG is 900"


@pytest.fixture
async def local_mode(tmp_path: Path) -> AsyncIterator[LocalMode]:
    started = LocalMode(tmp_path, TOPICFLOW_MAX_BACKLOG="900")
    try:
        yield await started.ready()
    finally:
        started.end()


async def test_a_file_larger_than_the_backlog_is_submitted_completely_as_it_drains(
    local_mode: LocalMode, tmp_path: Path
) -> None:
    titles = tmp_path / "many.txt"
    titles.write_text("\n".join(f"many {n}" for n in range(6000)))
    local_mode.simulator("PUT", "/seconds", {"seconds": 15})
    with local_mode.begin("submit", str(titles)) as interrupted:
        _read_until_refused(interrupted)
        assert REFUSED in local_mode.run("status").out
        interrupted.send_signal(signal.SIGINT)
        assert interrupted.wait(10) == 130
        assert interrupted.stderr
        assert (
            " of 6,000 titles; submitted titles are still processed, see `topicflow status`"
            in interrupted.stderr.read().splitlines()[-1]
        )
    with local_mode.begin("submit", str(titles)) as again:
        _read_until_refused(again)
        local_mode.simulator("PUT", "/seconds", {"seconds": 0})
        assert again.wait(120) == 0

    def all_completed() -> bool:
        return bool(local_mode.get("/api/v1/processing-status").json()["completed_count"] == 6000)

    await eventually(all_completed, within=60)


def _read_until_refused(submitting: subprocess.Popen[str]) -> None:
    assert submitting.stderr
    assert any("waiting: " in line and REFUSED in line for line in submitting.stderr)
