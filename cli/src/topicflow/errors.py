"""How a command can end, each with its exit code. Raised anywhere, shown and obeyed in `app.main` only."""

from local_processes.errors import UNREACHABLE, CommandError, Failed, InUse, WrongUse

__all__ = [
    "CommandError",
    "Failed",
    "InUse",
    "Interrupted",
    "NotAllowed",
    "NotFound",
    "ServiceUnavailable",
    "Unreachable",
    "WrongUse",
]

NOT_ALLOWED, INTERRUPTED = 4, 130


class NotFound(Failed):
    """There is no such thing (404, 410)."""


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
