"""docs/sufferings.md names tests: each of them exists, and each test of a suffering is named there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/sufferings.md").read_text()


def names_in(path: Path) -> set[str]:
    return set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.M))


def test_every_test_that_the_page_names_exists_and_none_is_missing() -> None:
    rows = re.findall(r"`(?:(chaos/\w+\.py)::)?(test_\w+)`", PAGE)
    named = {(ROOT / "tests" / (path or "e2e/test_sufferings.py"), name) for path, name in rows}
    there = {(path, name) for path in {path for path, _ in named} for name in names_in(path)}
    assert named == there
