"""Every command in README and docs works: those in `sh` blocks are run, the others are checked against --help."""

import asyncio
import os
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from e2e.documented import ROOT, Command, commands
from e2e.local_mode import LocalMode, environment
from eventually import eventually

BIN = Path(sys.executable).parent
ALL = commands()
RUN = [command for command in ALL if command.is_run]
PAGES_WITH_COMMANDS = sorted({command.page for command in RUN})
PROGRAM = "topicflow"


@pytest.fixture
async def local_mode(tmp_path: Path) -> AsyncIterator[LocalMode]:
    """As `make run` starts it, with the articles of the catalogue enriched."""
    (tmp_path / ".venv").symlink_to(BIN.parent)
    up = LocalMode(tmp_path, "--submit", str(ROOT / "examples/topics.txt"), port=None)
    await up.ready()
    await eventually(lambda: "65 of 65 completed" in up.out, within=60)
    yield up
    up.end()


def test_documented_commands_are_found() -> None:
    assert len(RUN) >= 20
    assert {"README.md", "access.md", "articles.md"} <= set(PAGES_WITH_COMMANDS)


@pytest.mark.parametrize(
    "page",
    [page if page == "README.md" else pytest.param(page, marks=pytest.mark.slow) for page in PAGES_WITH_COMMANDS],
)
async def test_the_commands_of_a_page_run(page: str, local_mode: LocalMode, tmp_path: Path) -> None:
    command_environment = environment(local_mode.data, PATH=f"{BIN}:{os.environ['PATH']}", NO_PROXY="*")
    for command in (command for command in RUN if command.page == page):
        text = command.text.replace("localhost:8000", f"127.0.0.1:{local_mode.port}").replace("curl -s", "curl -sf")
        done = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-c", text],
            cwd=tmp_path,
            env=command_environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert done.stdout, f"{command} prints nothing"
        assert '"total_count":0' not in done.stdout, f"{command} finds nothing"
        assert "0 of 0" not in done.stdout, f"{command} finds nothing"


@pytest.mark.parametrize("command", [command for command in ALL if not command.is_run], ids=str)
def test_each_part_of_a_shown_command_exists(command: Command) -> None:
    words = shlex.split(re.sub(r"^(?:[A-Z_]+=\S+ )+", "", command.text), comments=True)
    if words[0] == "make":
        done = subprocess.run(["make", "--dry-run", words[1]], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    elif words[0].endswith(PROGRAM):
        _assert_in_help(words[1:])


def _assert_in_help(words: list[str]) -> None:
    """The subcommands exist, and their help names each option."""
    names = [word for word in words if re.fullmatch("[a-z-]+", word) and not word.startswith("-")]
    path = names[:2] if names[0] in {"topics", "articles", "keys"} else names[:1]
    done = subprocess.run(
        [str(BIN / PROGRAM), *path, "--help"], env=os.environ | {"COLUMNS": "200"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for option in (word.partition("=")[0] for word in words if word.startswith("--")):
        assert option in done.stdout, f"topicflow {' '.join(path)} has no {option}"
