"""Errors of starting and running local processes, with exit codes."""

FAILED, WRONG_USE, UNREACHABLE = 1, 2, 3


class CommandError(Exception):
    """Ends the command with one line on stderr and this exit code."""

    exit_code = FAILED


class Failed(CommandError):
    """A requested action failed."""


class WrongUse(CommandError):
    """A wrong argument or setting; repeating the command cannot help."""

    exit_code = WRONG_USE


class InUse(CommandError):
    """The port or the data folder is in use."""

    exit_code = UNREACHABLE
