"""What counts as a title, a file and stdin."""

import io
from pathlib import Path

import pytest

from topicflow.actions.titles import titles_from
from topicflow.errors import WrongUse


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_existing_file_has_one_title_per_line() -> None:
    Path("topics.txt").write_text(
        "\ufeff# databases\nB-trees\n\n  LSM trees  \r\n#none\nC# generics\n", encoding="utf-8"
    )
    assert titles_from(["topics.txt"]) == ["B-trees", "LSM trees", "C# generics"]


def test_arguments_that_are_not_files_are_titles() -> None:
    assert titles_from(["CAP theorem", " Raft "]) == ["CAP theorem", "Raft"]


def test_a_title_with_a_slash_is_a_title() -> None:
    assert titles_from(["TCP/IP"]) == ["TCP/IP"]


def test_a_very_long_argument_is_not_treated_as_a_file() -> None:
    assert titles_from(["x" * 400]) == ["x" * 400]


@pytest.mark.parametrize("name", ["missing.txt", "./missing", "/missing/file"])
def test_a_missing_file_is_not_submitted_as_a_title(name: str) -> None:
    with pytest.raises(WrongUse, match="cannot read"):
        titles_from([name])


def test_a_dash_reads_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Raft\n\n# no\nPaxos\n"))
    assert titles_from(["-"]) == ["Raft", "Paxos"]


def test_nothing_to_submit_is_an_error() -> None:
    Path("empty.txt").write_text("# only a comment\n")
    with pytest.raises(WrongUse, match=r"no titles in empty\.txt"):
        titles_from(["empty.txt"])


def test_a_file_that_is_not_text_is_an_error() -> None:
    Path("picture.png").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(WrongUse, match="not UTF-8"):
        titles_from(["picture.png"])


def test_a_blank_argument_is_named_by_its_number() -> None:
    with pytest.raises(WrongUse, match="title 2: a title must not be blank"):
        titles_from(["Raft", "  "])


def test_a_title_that_is_too_long_is_refused_before_anything_is_sent() -> None:
    assert titles_from(["ü" * 500]) == ["ü" * 500]
    with pytest.raises(WrongUse, match=r"title 1 \(ü+\): a title must have at most 500 characters, this one has 501"):
        titles_from(["ü" * 501])


@pytest.mark.parametrize("title", ["bell\x07", "lone \ud800"])
def test_what_the_api_would_refuse_is_refused_before_anything_is_sent(title: str) -> None:
    with pytest.raises(WrongUse, match=r"title 2 \(.+\): a title must not contain control characters"):
        titles_from(["Raft", title])
