"""Runs a program that Linux terminates when the parent process ends, even by kill -9.

Run by path, `python -I -S die_with_parent.py PARENT PROGRAM…`: a `preexec_fn` is not safe in a process with threads.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def ending_with_parent(arguments: Sequence[str]) -> tuple[str, ...]:
    """The command that runs this program as a child of this process."""
    return (sys.executable, "-I", "-S", __file__, str(os.getpid()), *arguments)


def main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:  # the parent ended before the line above
        sys.exit(1)
    try:
        os.execv(program[0], program)  # noqa: S606
    except OSError as error:
        sys.exit(f"cannot run {program[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
