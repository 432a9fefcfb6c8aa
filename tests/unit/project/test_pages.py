"""Pages that name tests: each test exists, and each test of a known problem is named on its page."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
KNOWN_PROBLEMS = "e2e/test_known_problems.py"  # the file of tests that the page names without a file
Test = tuple[str, str]


def named_on(page: str) -> set[Test]:
    rows = re.findall(r"`(?:([\w/]+\.py)::)?(test_\w+)`", (ROOT / "docs" / page).read_text())
    return {(path or KNOWN_PROBLEMS, name) for path, name in rows}


def existing_in(path: str) -> set[Test]:
    file = ROOT / "tests" / path
    text = file.read_text() if file.is_file() else ""
    return {(path, name) for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.M)}


@pytest.mark.parametrize("page", ["known-problems.md", "guarantees.md"])
def test_every_test_that_a_page_names_exists(page: str) -> None:
    mentioned = named_on(page)
    assert mentioned
    assert mentioned - set[Test]().union(*(existing_in(path) for path, _ in mentioned)) == set()


def test_each_test_of_a_known_problem_is_named_on_its_page() -> None:
    files = [
        path.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests/e2e").glob("test_known_problems*.py")
    ]
    assert set[Test]().union(*map(existing_in, files)) <= named_on("known-problems.md")


def test_each_known_problem_has_its_row() -> None:
    rows = re.findall(
        r"^\| (\d+) \|.*`test_|^\| (\d+) \|.*::test_", (ROOT / "docs/known-problems.md").read_text(), re.M
    )
    assert [int(one or other) for one, other in rows] == list(range(1, 21))


def test_every_guarantee_names_a_test_or_the_reason_why_there_is_none() -> None:
    rows = [line for line in (ROOT / "docs/guarantees.md").read_text().splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith("| promised")]
    assert len(promises) > 50
    assert [row for row in promises if not re.search(r"::test_\w+`|\| — [^|]+\|$", row)] == []
