"""Several keys: rotation, cool-down, refusal, reload from their file; never shown."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.errors import DailyQuota, RateLimited
from shared.llm import gemini_keys
from shared.llm.gemini_keys import Keys, split


def later(seconds: float = 60) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def values(keys: Keys, times: int) -> set[str]:
    return {keys.next().value for _ in range(times)}


def test_keys_are_used_in_turn() -> None:
    keys = Keys(["a", "b", "c"])
    assert values(keys, 3) == {"a", "b", "c"}


def test_a_key_that_cools_down_is_skipped_until_its_quota_is_back() -> None:
    keys = Keys(["a", "b"])
    resting = keys.next()
    keys.cool_down(resting, later(), DailyQuota)
    assert resting.value not in values(keys, 4)
    keys.cool_down(resting, later(-1), DailyQuota)
    assert values(keys, 2) == {"a", "b"}


def test_when_all_keys_cool_down_the_error_has_the_quota_and_its_end() -> None:
    keys = Keys(["a", "b"])
    soon, late = later(60), later(3600)
    keys.cool_down(keys.next(), late, DailyQuota)
    keys.cool_down(keys.next(), soon, RateLimited)
    with pytest.raises(RateLimited) as raised:
        keys.next()
    assert raised.value.until == soon
    assert not keys.has_usable


def test_a_refused_key_is_skipped_and_used_again_only_when_there_is_no_other() -> None:
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


def test_a_changed_key_file_is_reloaded_and_the_state_of_keys_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemini_keys, "CHECK_INTERVAL", 0)
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


def test_no_log_line_and_no_repr_shows_a_key() -> None:
    keys = Keys(["very-secret", "secret-too"])
    with capture_logs() as logged:
        key = keys.next()
        keys.cool_down(key, later(), DailyQuota)
        keys.refuse(key)
        keys.works(key)
    assert len(logged) == 3
    assert "secret" not in repr([key, keys, *logged])


def test_keys_are_separated_by_commas_or_lines_and_deduplicated() -> None:
    assert split(" a,b\n\nc,, a\n") == ["a", "b", "c"]
