"""Several API keys: which one the next call uses, which rest until their quota is reset, which are refused.

Keys of one project share its quota, so another key is no way around 429 unless each has a project of its own. A day's
quota is the exception: what is told of it is told of that key, and the next one is asked once.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path

import structlog

from shared.errors import DailyQuota, Outage

log = structlog.get_logger()
LOOK_EVERY = 1.0  # seconds between looks at the file


@dataclass(slots=True, eq=False)
class Key:
    """`number`: how people are told of it; the value is shown to nobody. `rests_for`: the kind of quota it lacks."""

    number: int
    value: str = field(repr=False)
    is_refused: bool = False
    rests_until: datetime | None = None
    rests_for: type[Outage] = DailyQuota

    @property
    def is_usable(self) -> bool:
        return not self.is_refused and (self.rests_until is None or self.rests_until <= datetime.now(UTC))


class Keys:
    def __init__(self, values: Sequence[str], path: Path | None = None) -> None:
        """`path`: the file that they came from, which is read again when it changes."""
        self._keys = [Key(number, value) for number, value in enumerate(values, 1)]
        self._path = path
        self._read_at = _changed_at(path)
        self._looked_at = time.monotonic()
        self._turn = 0

    def next(self) -> Key:
        """In turn, of those that may be used. Of refused ones only, any of them: somebody may have allowed it again.

        Raises Outage where those that are not refused rest.
        """
        self._look()
        usable = [key for key in self._keys if key.is_usable]
        resting = [(key.rests_until, key) for key in self._keys if key.rests_until and not key.is_refused]
        if not usable and resting:
            until, key = min(resting, key=itemgetter(0))
            raise key.rests_for("the quota of every key is used up", until=until)  # costs nothing: nobody is asked
        among = usable or self._keys
        self._turn += 1
        return among[(self._turn - 1) % len(among)]

    @property
    def has_usable(self) -> bool:
        return any(key.is_usable for key in self._keys)

    def rest(self, key: Key, until: datetime, quota: type[Outage]) -> None:
        key.rests_until, key.rests_for = until, quota
        log.warning("a key rests", key=self._name(key), quota=quota.reason, until=until)

    def refuse(self, key: Key) -> None:
        if not key.is_refused:
            key.is_refused = True
            log.error("Gemini refuses a key, which is left out from now on", key=self._name(key))

    def works(self, key: Key) -> None:
        if key.is_refused:
            key.is_refused = False
            log.info("a key that was refused works again", key=self._name(key))

    def _name(self, key: Key) -> str:
        return f"{key.number} of {len(self._keys)}"

    def _look(self) -> None:
        """At the file, now and then. What is known of a key stays known."""
        if self._path is None or time.monotonic() - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = time.monotonic()
        changed_at = _changed_at(self._path)
        if changed_at is None or changed_at == self._read_at:
            return
        self._read_at = changed_at
        try:
            values = split(self._path.read_text())
        except (OSError, UnicodeDecodeError):
            return
        if not all(map(fits_a_header, values)):
            log.error("the file of keys has one that no HTTP header can hold, and is left as it was read before")
        elif values:
            known = {key.value: key for key in self._keys}
            self._keys = [known.get(value) or Key(0, value) for value in values]
            for number, key in enumerate(self._keys, 1):
                key.number = number
            log.info("the file of keys was read again", keys=len(self._keys))


def fits_a_header(value: str) -> bool:
    return value.isascii() and value.isprintable()


def split(text: str) -> list[str]:
    """Separated by commas or lines; each once, in their order."""
    return list(dict.fromkeys(filter(None, map(str.strip, text.replace("\n", ",").split(",")))))


def _changed_at(path: Path | None) -> int | None:
    try:
        return path.stat().st_mtime_ns if path else None
    except OSError:
        return None
