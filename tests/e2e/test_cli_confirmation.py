"""Deleting on a terminal asks for confirmation, and only a yes deletes."""

import os
import subprocess

import pytest
from e2e.local_mode import COMMAND, LocalMode, environment


def _answered(local_mode: LocalMode, answer: bytes, *arguments: str) -> tuple[int, str]:
    """Exit code and stderr of a command on its own terminal, where `answer` is typed."""
    terminal, stdin = os.openpty()
    try:
        os.write(terminal, answer)
        done = subprocess.run(
            [*COMMAND, *arguments], env=environment(local_mode.data), stdin=stdin, capture_output=True, timeout=60
        )
    finally:
        os.close(terminal)
        os.close(stdin)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"n\n", 1),
        pytest.param(b"\n", 1, marks=pytest.mark.slow),
        pytest.param(b"\x04", 1, marks=pytest.mark.slow),
        (b"y\n", 0),
    ],
)
def test_only_a_yes_deletes(local_mode: LocalMode, answer: bytes, code: int) -> None:
    assert local_mode.run("submit", "Asked about", "--wait").code == 0
    ended, output = _answered(local_mode, answer, "topics", "delete", "Asked about")
    assert (ended, output.startswith("Delete 'Asked about'? [y/N] ")) == (code, True)
    assert ("nothing was deleted" in output) is (code != 0)
    assert local_mode.run("topics", "show", "Asked about").code == (1 if code == 0 else 0)
