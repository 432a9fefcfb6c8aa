"""What the API refuses to do. `problems.py` turns these errors into responses."""


class NoSuchSubmission(Exception):
    """No submission has this id, or there is none yet."""


class Conflict(Exception):
    """The state forbids it. `retry_after`: seconds after which it may be allowed; None: unknown."""

    def __init__(self, detail: str, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class InvalidValue(Exception):
    """A query parameter or header has a value that cannot be used."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class NoRoom(Exception):
    """The broker's memory or a group's backlog is at its limit."""


class TooManyStreams(Exception):
    """This replica serves as many event streams as it may."""


class NotProjectedYet(Exception):
    """It is stored, but no read shows it yet."""
