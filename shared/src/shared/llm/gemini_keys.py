"""Rotation of several API keys: round robin, cool-down until a quota resets, and keys that Gemini rejects.

Keys of one project share its quota, so switching keys does not avoid a 429 unless each key has its own project. The
daily quota is the exception: an exhausted one cools down that key only, and the next key is tried once.
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
CHECK_INTERVAL = 1.0  # seconds between checks of the file


@dataclass(slots=True, eq=False)
class Key:
    """`number` identifies it in logs; the value is never shown. `cool_down_quota`: the kind of quota it ran out of."""

    number: int
    value: str = field(repr=False)
    is_refused: bool = False
    cool_down_until: datetime | None = None
    cool_down_quota: type[Outage] = DailyQuota

    @property
    def is_usable(self) -> bool:
        return not self.is_refused and (self.cool_down_until is None or self.cool_down_until <= datetime.now(UTC))


class Keys:
    def __init__(self, values: Sequence[str], path: Path | None = None) -> None:
        """`path`: the file the keys came from; it is reloaded when it changes."""
        self._keys = [Key(number, value) for number, value in enumerate(values, 1)]
        self._path = path
        self._read_at = _changed_at(path)
        self._looked_at = time.monotonic()
        self._turn = 0

    def next(self) -> Key:
        """The next usable key, round robin. If all are rejected, one of those: it may have been re-enabled.

        Raises Outage if all keys that are not rejected are cooling down.
        """
        self._reload()
        usable = [key for key in self._keys if key.is_usable]
        cooling = [(key.cool_down_until, key) for key in self._keys if key.cool_down_until and not key.is_refused]
        if not usable and cooling:
            until, key = min(cooling, key=itemgetter(0))
            raise key.cool_down_quota("the quota of every API key is used up", until=until)  # no call is made
        among = usable or self._keys
        self._turn += 1
        return among[(self._turn - 1) % len(among)]

    @property
    def has_usable(self) -> bool:
        return any(key.is_usable for key in self._keys)

    def cool_down(self, key: Key, until: datetime, quota: type[Outage]) -> None:
        key.cool_down_until, key.cool_down_quota = until, quota
        log.warning("api_key_cooling_down", key=self._name(key), quota=quota.reason, until=until)

    def refuse(self, key: Key) -> None:
        if not key.is_refused:
            key.is_refused = True
            log.error("api_key_rejected", key=self._name(key))

    def works(self, key: Key) -> None:
        if key.is_refused:
            key.is_refused = False
            log.info("api_key_works_again", key=self._name(key))

    def _name(self, key: Key) -> str:
        return f"{key.number} of {len(self._keys)}"

    def _reload(self) -> None:
        """Reload the file if it changed, checking at most once a second. Keeps the state of known keys."""
        if self._path is None or time.monotonic() - self._looked_at < CHECK_INTERVAL:
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
            log.error("api_keys_file_invalid", problem="a key contains characters not allowed in an HTTP header")
        elif values:
            known = {key.value: key for key in self._keys}
            self._keys = [known.get(value) or Key(0, value) for value in values]
            for number, key in enumerate(self._keys, 1):
                key.number = number
            log.info("api_keys_reloaded", keys=len(self._keys))


def fits_a_header(value: str) -> bool:
    return value.isascii() and value.isprintable()


def split(text: str) -> list[str]:
    """Splits at commas and line breaks, without duplicates, in order."""
    return list(dict.fromkeys(filter(None, map(str.strip, text.replace("\n", ",").split(",")))))


def _changed_at(path: Path | None) -> int | None:
    try:
        return path.stat().st_mtime_ns if path else None
    except OSError:
        return None
