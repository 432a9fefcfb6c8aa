"""How a command can end, each with its exit code. Raised anywhere, shown and obeyed in `app.main` only."""

FAILED, WRONG_USE, UNREACHABLE, NOT_ALLOWED, INTERRUPTED = 1, 2, 3, 4, 130


class CommandError(Exception):
    """Ends the command with one line on stderr and this exit code."""

    exit_code = FAILED


class Failed(CommandError):
    """Something that was asked for did not succeed."""


class NotFound(Failed):
    """There is no such thing (404, 410)."""


class WrongUse(CommandError):
    """A wrong argument or a bad setting: asking the same way again cannot help."""

    exit_code = WRONG_USE


class InUse(CommandError):
    """The port or the data folder belongs to somebody else."""

    exit_code = UNREACHABLE


class Unreachable(CommandError):
    """Nobody answers."""

    exit_code = UNREACHABLE


class ServiceUnavailable(Unreachable):
    """Somebody answers that it cannot help now (429, 502, 503, 504, or 409 while the same request runs)."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds


class NotAllowed(CommandError):
    """The API does not let us (401, 403)."""

    exit_code = NOT_ALLOWED


class Interrupted(CommandError):
    """Ctrl-C, with something worth saying."""

    exit_code = INTERRUPTED
