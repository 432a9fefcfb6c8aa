"""`topicflow topics …` and `stats` beside a running `topicflow up`: lists, filters, history, retries and deletion."""

import json
from typing import Any

import pytest
from e2e.local_mode import LocalMode, run
from eventually import eventually

OPTIONS = {
    "--category": "categories",
    "--subcategory": "subcategories",
    "--company": "companies",
    "--complexity": "complexity_levels",
    "--tag": "tags",
    "--technology": "technologies",
}


def _json(local_mode: LocalMode, *arguments: str) -> dict[str, Any]:
    ended = local_mode.run(*arguments, "--json")
    assert ended.code == 0, ended.err
    return dict(json.loads(ended.out))


def _fail(local_mode: LocalMode, *titles: str) -> None:
    for title in titles:
        local_mode.simulator("POST", "/faults", {"fault": "block", "title_contains": title})
    assert local_mode.run("submit", *titles, "--wait").code == 1
    local_mode.simulator("DELETE", "/faults")


def _failed(local_mode: LocalMode) -> list[str]:
    page = local_mode.get("/api/v1/topics?status=failed&sort_by=title&sort_order=asc").json()
    return [topic["title"] for topic in page["topics"]]


def test_a_list_of_several_pages_keeps_its_filters_and_its_order(local_mode: LocalMode) -> None:
    titles = [f"paged {n:03}" for n in range(230)]
    assert local_mode.run("submit", "other 1").code == 0
    assert local_mode.run("submit", "-", "--wait", stdin="\n".join(titles)).code == 0
    query = ("--search", "paged", "--status", "completed", "--sort-by", "title", "--limit", "225")
    upwards = _json(local_mode, "topics", "list", *query, "--sort-order", "asc")
    downwards = _json(local_mode, "topics", "list", *query, "--sort-order", "desc")
    assert [topic["title"] for topic in upwards["topics"]] == titles[:225]
    assert [topic["title"] for topic in downwards["topics"]] == titles[:-226:-1]
    assert (upwards["total_count"], upwards["limit"]) == (230, 225)


@pytest.mark.slow
def test_each_filter_finds_the_listed_options(local_mode: LocalMode) -> None:
    assert local_mode.run("submit", "Bloom filters", "Merkle trees", "Gossip", "--wait").code == 0
    filters = _json(local_mode, "topics", "filters")
    assert filters == local_mode.get("/api/v1/topics/filter-options").json()
    printed = local_mode.run("topics", "filters").out
    everything = _json(local_mode, "topics", "list", "--limit", "1")["total_count"]
    for option, name in OPTIONS.items():
        assert option in printed
        found = _json(local_mode, "topics", "list", option, filters[name][0])
        assert 0 < found["total_count"] <= everything
        assert _json(local_mode, "topics", "list", option, "no such value")["total_count"] == 0


def test_the_history_of_a_topic_is_in_order_and_omitted_events_are_mentioned(local_mode: LocalMode) -> None:
    _fail(local_mode, "has a past")
    assert local_mode.run("topics", "retry", "has a past").code == 0
    assert local_mode.run("submit", "has a past", "--wait").code == 0
    printed = local_mode.run("topics", "history", "has a past")
    assert printed.code == 0
    events = [line.split()[1:3] for line in printed.out.splitlines()[1:]]
    assert events == [
        ["submitted", "1"],
        ["started", "1"],
        ["failed", "1"],
        ["submitted", "2"],
        ["started", "2"],
        ["completed", "2"],
    ]
    assert "SAFETY" in printed.out
    last = local_mode.run("topics", "history", "has a past", "--limit", "1").out
    assert last.splitlines()[-1] == "older events are not shown (raise --limit, up to 1000)"
    assert [event["event"] for event in _json(local_mode, "topics", "history", "has a past")["events"]][-1] == (
        "SubmissionCompleted"
    )


def test_retry_failed_repeats_only_topics_with_this_error_and_age(local_mode: LocalMode) -> None:
    _fail(local_mode, "unlucky 1", "unlucky 2")
    for untouched in (("--error-contains", "another reason"), ("--older-than", "1")):
        assert local_mode.run("topics", "retry-failed", *untouched).out == "0 failed topics are queued again\n"
    assert {"unlucky 1", "unlucky 2"} <= set(failed := _failed(local_mode))
    assert _json(local_mode, "topics", "retry-failed", "--error-contains", "safety") == {"count": len(failed)}
    assert local_mode.run("submit", "unlucky 1", "unlucky 2", "--wait").code == 0
    assert _failed(local_mode) == []


def test_deleted_topics_are_gone_and_an_unknown_one_is_named(local_mode: LocalMode) -> None:
    assert local_mode.run("submit", "Kept", "Gone by title", "Gone by id", "--wait").code == 0
    key = _json(local_mode, "topics", "show", "Gone by id")["id"]
    deleted = local_mode.run("topics", "delete", "Gone by title", "never there", key, "--yes")
    assert (deleted.code, deleted.out) == (1, "deleted: Gone by title\ndeleted: Gone by id\n")
    assert deleted.err == "topicflow: there is no topic 'never there'\n"
    assert _json(local_mode, "topics", "list", "--search", "Gone by")["total_count"] == 0
    assert local_mode.run("topics", "show", "Kept").code == 0


def test_cleanup_deletes_failed_topics_and_nothing_else(local_mode: LocalMode) -> None:
    assert local_mode.run("submit", "not to be cleaned up", "--wait").code == 0
    _fail(local_mode, "to be cleaned up")
    assert _json(local_mode, "topics", "cleanup", "--older-than", "1", "--yes")["cleaned_count"] == 0
    assert "to be cleaned up" in _failed(local_mode)
    swept = local_mode.run("topics", "cleanup", "--yes")
    assert (swept.code, swept.out) == (0, "1 failed topic deleted\n")
    assert _failed(local_mode) == []
    assert local_mode.run("topics", "show", "not to be cleaned up").code == 0


async def test_usage_is_that_of_the_route_and_marked_as_simulated(local_mode: LocalMode) -> None:
    assert local_mode.run("submit", "Paid", "--wait").code == 0
    usage = local_mode.get("/api/v1/usage?days=2").json()
    assert _json(local_mode, "usage", "--days", "2") == usage
    assert usage["simulated"]
    assert all(paid["simulated"] for paid in usage["days"])
    assert usage["total"]["cost"] > 0 < usage["total"]["tokens_out"]
    assert 0 < usage["total"]["calls"] == sum(paid["calls"] for paid in usage["days"])
    printed = local_mode.run("usage").out
    assert "topic" in printed
    assert "(simulated)" in printed


async def test_stats_are_those_of_the_route(local_mode: LocalMode) -> None:
    assert local_mode.run("submit", "Counted", "--wait").code == 0
    await eventually(lambda: not local_mode.get("/api/v1/processing-status").json()["is_processing"], within=20)
    stats = local_mode.get("/api/v1/stats").json()
    assert _json(local_mode, "stats") == stats
    printed = local_mode.run("stats").out.split()
    assert f"{stats['completed']:,}" in printed
    assert {"Success", "Average", *stats["by_category"]} <= set(printed)


@pytest.mark.parametrize("arguments", [["delete", "Kept for scripts"], ["cleanup"]], ids=" ".join)
def test_a_script_without_yes_deletes_nothing_and_gets_exit_code_2(local_mode: LocalMode, arguments: list[str]) -> None:
    assert local_mode.run("submit", "Kept for scripts", "--wait").code == 0
    before = local_mode.get("/api/v1/topics?limit=1").json()["total_count"]
    refused = local_mode.run("topics", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == "topicflow: without a terminal, --yes is required; nothing was deleted\n"
    assert local_mode.get("/api/v1/topics?limit=1").json()["total_count"] == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["topics", "retry-failed"],
        pytest.param(["topics", "cleanup", "--yes"], marks=pytest.mark.slow),
        pytest.param(["topics", "delete", "Kept for operators", "--yes"], marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_a_key_without_the_scope_operate_gets_one_line_and_exit_code_4(
    local_mode: LocalMode, arguments: list[str]
) -> None:
    assert local_mode.run("submit", "Kept for operators", "--wait").code == 0
    made = local_mode.run("keys", "create", "-".join(arguments[:2]), "--scope", "read")
    refused = run(local_mode.data, *arguments, TOPICFLOW_API_KEY=made.out.strip())
    assert (refused.code, refused.err) == (4, "topicflow: this API key lacks the scope operate; it has read\n")
    assert local_mode.run("topics", "show", "Kept for operators").code == 0
