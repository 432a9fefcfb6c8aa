"""Several keys: rotation, cool-down, refusal, reload from their file; never shown."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.errors import DailyQuota, RateLimited
from shared.llm import api_keys
from shared.llm.api_keys import Keys, split


def later(seconds: float = 60) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def values(keys: Keys, times: int) -> set[str]:
    return {keys.next().value for _ in range(times)}


def test_keys_are_used_in_turn() -> None:
    keys = Keys(["a", "b", "c"])
    assert values(keys, 3) == {"a", "b", "c"}


def test_one_that_rests_is_left_out_until_its_quota_is_there_again() -> None:
    keys = Keys(["a", "b"])
    resting = keys.next()
    keys.cool_down(resting, later(), DailyQuota)
    assert resting.value not in values(keys, 4)
    keys.cool_down(resting, later(-1), DailyQuota)
    assert values(keys, 2) == {"a", "b"}


def test_when_all_rest_it_is_said_which_quota_is_missing_and_until_when_it_is() -> None:
    keys = Keys(["a", "b"])
    soon, late = later(60), later(3600)
    keys.cool_down(keys.next(), late, DailyQuota)
    keys.cool_down(keys.next(), soon, RateLimited)
    with pytest.raises(RateLimited) as raised:
        keys.next()
    assert raised.value.until == soon
    assert not keys.has_usable


def test_a_refused_one_is_left_out_and_is_only_asked_again_when_there_is_no_other() -> None:
    keys = Keys(["a", "b"])
    refused = keys.next()
    keys.refuse(refused)
    assert refused.value not in values(keys, 4)
    other = keys.next()
    keys.cool_down(other, later(), DailyQuota)
    with pytest.raises(DailyQuota):
        keys.next()
    keys.refuse(other)
    assert values(keys, 2) == {"a", "b"}
    keys.works(refused)
    assert values(keys, 2) == {refused.value}


def test_their_file_is_read_again_when_it_changes_and_what_is_known_of_a_key_stays_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "CHECK_INTERVAL", 0)
    path = tmp_path / "keys"
    path.write_text("a, b")
    keys = Keys(split(path.read_text()), path)
    keys.refuse(next(key for key in (keys.next(), keys.next()) if key.value == "a"))
    path.write_text("c\na\n")
    assert values(keys, 3) == {"c"}
    path.write_text("")
    assert values(keys, 3) == {"c"}
    path.write_text("d, k\u00fcy")
    assert values(keys, 3) == {"c"}
    path.unlink()
    assert values(keys, 3) == {"c"}


def test_nothing_that_is_said_shows_a_key() -> None:
    keys = Keys(["very-secret", "secret-too"])
    with capture_logs() as logged:
        key = keys.next()
        keys.cool_down(key, later(), DailyQuota)
        keys.refuse(key)
        keys.works(key)
    assert len(logged) == 3
    assert "secret" not in repr([key, keys, *logged])


def test_keys_are_separated_by_commas_or_lines_and_each_is_there_once() -> None:
    assert split(" a,b\n\nc,, a\n") == ["a", "b", "c"]
