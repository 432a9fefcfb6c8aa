"""Errors, grouped by how they are handled: `retry.decide` decides, `worker/delivery.py` carries it out.

    TopicflowError
    ├── Transient            retry later; spends one of the attempt's tries
    │   └── Doubtful         or an outage: `outage_detection.py` decides
    ├── Outage               a dependency is out: wait, spend no try
    │   ├── RateLimited
    │   ├── DailyQuota
    │   ├── BudgetSpent
    │   ├── Unavailable
    │   ├── ApiUnavailable
    │   ├── KeyRefused
    │   ├── CatalogUnavailable
    │   └── CatalogRefusesUs
    ├── Refused              failed for good
    ├── InvalidEvent         to the dead letters
    ├── BrokerUnreachable    unknown whether anything was stored
    │   └── BrokerFull
    └── CannotGoOn           an operator must act: the process stops with one line
        ├── SettingInvalid
        ├── NewerVersion
        ├── PositionsLost
        ├── GroupInUse
        └── BrokerUnsafe

Any other exception is a bug: the delivery goes to the dead letters, the traceback to the log.
"""

from collections.abc import Collection
from datetime import datetime


class TopicflowError(Exception):
    """The message is meant for people and contains no secret."""


class Transient(TopicflowError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Doubtful(Transient): ...


class Outage(TopicflowError):
    """`retry_after`: seconds the other side asked us to wait, if it did. `until`: when it ends, where that is known:
    shown, while trying before costs nothing."""

    reason = "outage"

    def __init__(self, message: str, retry_after: float | None = None, until: datetime | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.until = until


class RateLimited(Outage):
    reason = "rate_limited"


class DailyQuota(Outage):
    reason = "daily_quota"


class BudgetSpent(Outage):
    reason = "budget"


class Unavailable(Outage):
    reason = "unavailable"


class ApiUnavailable(Outage):
    reason = "api_unavailable"


class KeyRefused(Outage):
    reason = "key_refused"


class CatalogUnavailable(Outage):
    reason = "catalog_unavailable"


class CatalogRefusesUs(Outage):
    """Its credentials are refused, or may not do what is needed: no article's fault."""

    reason = "catalog_refuses_us"


class Refused(TopicflowError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class InvalidEvent(TopicflowError): ...


class BrokerUnreachable(TopicflowError): ...


class BrokerFull(BrokerUnreachable): ...


class CannotGoOn(TopicflowError):
    exit_code = 1


class SettingInvalid(CannotGoOn):
    exit_code = 2


class NewerVersion(CannotGoOn): ...


class PositionsLost(CannotGoOn):
    """`groups`: those that are known to have lost theirs."""

    def __init__(self, message: str, groups: Collection[str] = ()) -> None:
        super().__init__(message)
        self.groups = groups


class GroupInUse(CannotGoOn): ...


class BrokerUnsafe(CannotGoOn):
    exit_code = 2
