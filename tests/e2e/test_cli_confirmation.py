"""Deleting on a terminal: the person is asked first, and only a yes deletes."""

import os
import subprocess

import pytest
from e2e.local_mode import COMMAND, LocalMode, environment


def _answered(local_mode: LocalMode, answer: bytes, *arguments: str) -> tuple[int, str]:
    """Exit code and what was asked and said, on a terminal of its own where this is typed."""
    ours, theirs = os.openpty()
    try:
        os.write(ours, answer)
        done = subprocess.run(
            [*COMMAND, *arguments], env=environment(local_mode.data), stdin=theirs, capture_output=True, timeout=60
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 1), (b"\n", 1), (b"\x04", 1), (b"y\n", 0)])
def test_only_a_yes_deletes(local_mode: LocalMode, answer: bytes, code: int) -> None:
    assert local_mode.run("submit", "Asked about", "--wait").code == 0
    ended, said = _answered(local_mode, answer, "topics", "delete", "Asked about")
    assert (ended, said.startswith("Delete 'Asked about'? [y/N] ")) == (code, True)
    assert ("nothing was deleted" in said) is (code != 0)
    assert local_mode.run("topics", "show", "Asked about").code == (1 if code == 0 else 0)
