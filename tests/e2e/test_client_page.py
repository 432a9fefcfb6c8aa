"""Every example of docs/client.md and of the README is a program that runs."""

import asyncio
import re
import subprocess
import sys

import pytest
from e2e.documented import ROOT
from e2e.local_mode import LocalMode, environment

PAGES = (ROOT / "README.md", ROOT / "docs/client.md")
EXAMPLES = [text for page in PAGES for text in re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.M | re.S)]
DEFAULT_URL = "http://127.0.0.1:8000"


def test_the_examples_are_found() -> None:
    assert len(EXAMPLES) == 7
    assert all(DEFAULT_URL in example for example in EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
async def test_an_example_runs(local_mode: LocalMode, example: str) -> None:
    if "Raft" in example:
        assert local_mode.run("submit", "Raft", "--wait").code == 0
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "error", "-c", example.replace(DEFAULT_URL, local_mode.url)],
        env=environment(local_mode.data),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
