"""Back-pressure: refuses new work while the broker's memory or a group's backlog is at its limit.

The broker is polled every half second and every 500 submissions. Work is refused before any of it is stored; removals
and outcomes are never refused: they make room.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from api.errors import NoRoom
from shared.errors import BrokerUnreachable, PositionsLost
from shared.messaging.broker import Lag, StreamInspector
from shared.messaging.cloudevents import Record
from shared.streams import BY_NAME, STREAMS

log = structlog.get_logger()
GROUPS = sorted({group for stream in STREAMS for group in stream.groups})
POLL_INTERVAL = 0.5  # seconds
POLL_AFTER = 500  # submissions; a small memory fills in less than half a second
PATIENCE = 1.0  # seconds; timeout of a poll
MEMORY_LIMIT = 0.8  # of the broker's limit; the rest is reserved for outcomes


@dataclass(frozen=True, slots=True)
class Waits:
    """A group's unfinished work. `time_to_loss_seconds`: until retention removes unread entries; None if never."""

    waiting: int
    in_flight: int
    oldest_seconds: float | None
    time_to_loss_seconds: float | None


@dataclass(frozen=True, slots=True)
class Load:
    """The result of one poll. `memory_share`: 0 to 1 (full), None if the broker's memory has no limit."""

    groups: Mapping[str, Waits]
    memory_share: float | None


class BackPressure:
    """`load`: of the last poll; None while the broker does not answer, and then nothing is refused."""

    def __init__(self, transport: StreamInspector, max_backlog: int) -> None:
        self.max_backlog = max_backlog
        self.load: Load | None = None
        self._transport = transport
        self._since = 0  # submissions since the last poll

    async def poll(self) -> None:
        """Updates `load`. Raises BrokerUnreachable, PositionsLost."""
        load = None
        self._since = 0
        try:
            lags = await asyncio.gather(*map(self._transport.lag, GROUPS))
            groups = dict(zip(GROUPS, map(_waits, lags), strict=True))
            share = await self._transport.memory_share()
            load = Load(groups, None if share is None else round(share, 4))
        finally:
            self.load = load

    async def poll_backlog(self) -> None:
        """Polls until cancelled; logs refusals at most once a minute."""
        log_from = 0.0  # monotonic
        while True:
            try:
                await asyncio.wait_for(self.poll(), PATIENCE)
            except (TimeoutError, BrokerUnreachable, PositionsLost) as error:
                log.debug("backlog_unknown", error=str(error))
            if (full := self.full()) and time.monotonic() >= log_from:
                log_from = time.monotonic() + 60
                log.warning("work_refused", reason=full)
            await asyncio.sleep(POLL_INTERVAL)

    async def require_room(self, records: Sequence[Record], stored: int = 0) -> None:
        """Raises NoRoom if the broker's memory or a group that consumes these records is at its limit.

        `stored`: submissions of the same request stored before.
        """
        groups = {group for record in records for group in BY_NAME[record.stream].groups}
        self._since += len(records)
        if self._since > POLL_AFTER:
            with suppress(TimeoutError, BrokerUnreachable, PositionsLost):  # the publish reports it
                await asyncio.wait_for(self.poll(), PATIENCE)
        if records and (full := self.full(groups)):
            progress = f"{stored} submissions were" if stored else "Nothing was"
            raise NoRoom(f"{full}. {progress} stored; retry later")

    def full(self, groups: Collection[str] = GROUPS) -> str | None:
        """Describes the limit that is reached, if any."""
        if self.load is None:
            return None
        if (share := self.load.memory_share or 0) >= MEMORY_LIMIT:
            return f"The broker's memory is {share:.0%} full; new work is refused from {MEMORY_LIMIT:.0%} on"
        for group in groups:
            waits = self.load.groups[group]
            if (backlog := waits.waiting + waits.in_flight) >= self.max_backlog:
                return f"{group} has a backlog of {backlog} submissions; TOPICFLOW_MAX_BACKLOG is {self.max_backlog}"
        return None


def _waits(lag: Lag) -> Waits:
    now = datetime.now(UTC)
    return Waits(
        waiting=lag.waiting,
        in_flight=lag.in_flight,
        oldest_seconds=max(0.0, round((now - lag.oldest).total_seconds(), 3)) if lag.oldest else None,
        time_to_loss_seconds=max(0.0, round((lag.expires_at - now).total_seconds(), 3)) if lag.expires_at else None,
    )
