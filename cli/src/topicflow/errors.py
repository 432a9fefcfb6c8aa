"""Errors of the client and the commands. One that ends a command is handled in `app.main`, with its exit code."""

from local_processes.errors import UNREACHABLE, CommandError, Failed, InUse, WrongUse

__all__ = [
    "CommandError",
    "Failed",
    "InUse",
    "Interrupted",
    "NoEventStream",
    "NotAllowed",
    "NotFound",
    "ServiceUnavailable",
    "SilentStream",
    "TooManyRequests",
    "Unreachable",
    "WrongUse",
]

NOT_ALLOWED, INTERRUPTED = 4, 130


class NotFound(Failed):
    """The resource does not exist (404, 410)."""


class NoEventStream(Failed):
    """The server, or a proxy before it, gives no event stream. Everything else may work: read now and then instead."""


class SilentStream(NoEventStream):
    """Nothing arrives on an event stream, as behind a proxy that collects what it passes on."""


class Unreachable(CommandError):
    """The service does not respond."""

    exit_code = UNREACHABLE


class ServiceUnavailable(Unreachable):
    """The service is temporarily unavailable (429, 502, 503, 504, or 409 while the same request runs)."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds


class TooManyRequests(ServiceUnavailable):
    """The key has used up its requests per second (429)."""


class NotAllowed(CommandError):
    """The API denies access (401, 403)."""

    exit_code = NOT_ALLOWED


class Interrupted(CommandError):
    """Ctrl-C, with a message about the work done so far."""

    exit_code = INTERRUPTED
