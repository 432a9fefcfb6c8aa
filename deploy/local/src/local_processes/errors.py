"""How starting or keeping a process can fail, each with the exit code of the command that did it."""

FAILED, WRONG_USE, UNREACHABLE = 1, 2, 3


class CommandError(Exception):
    """Ends the command with one line on stderr and this exit code."""

    exit_code = FAILED


class Failed(CommandError):
    """Something that was asked for did not succeed."""


class WrongUse(CommandError):
    """A wrong argument or a bad setting: asking the same way again cannot help."""

    exit_code = WRONG_USE


class InUse(CommandError):
    """The port or the data folder belongs to somebody else."""

    exit_code = UNREACHABLE
