"""`topicflow articles …` beside a running `topicflow up`, which has a simulator for the catalogue."""

import json
from typing import Any

from e2e.local_mode import LocalMode

ONE, WITHOUT_TEXT, ALL = "urn:article:nuts-meta-analysis", 2, 40


def _json(local_mode: LocalMode, *arguments: str) -> dict[str, Any]:
    ended = local_mode.run("articles", *arguments, "--json")
    assert ended.code == 0, ended.err
    return dict(json.loads(ended.out))


def test_a_scan_waits_until_every_article_is_enriched(local_mode: LocalMode) -> None:
    """`up` has begun one by itself: it is that one, or the next, which finds nothing to do."""
    scanned = local_mode.run("articles", "scan", "--wait")
    assert f"completed: {ALL} articles seen" in scanned.out
    listed = _json(local_mode, "list", "--limit", "100", "--status", "completed")
    assert listed["total_count"] == len(listed["articles"]) == ALL - WITHOUT_TEXT
    failed = _json(local_mode, "list", "--status", "failed")
    assert {article["error_message"] for article in failed["articles"]} == {
        "the article has neither an abstract nor content"
    }
    assert f"{ALL - WITHOUT_TEXT} processed, {WITHOUT_TEXT} failed" in local_mode.run("status").out


def test_one_is_shown_with_its_past_enriched_again_and_forgotten(local_mode: LocalMode) -> None:
    local_mode.run("articles", "scan", "--wait")
    shown, article = local_mode.run("articles", "show", ONE).out, _json(local_mode, "show", ONE)
    assert ONE in shown
    assert "a simulator for Gemini wrote this" in shown
    assert article["result"]["study_type"] in shown
    assert "annotated" in local_mode.run("articles", "history", ONE).out
    assert (
        local_mode.run("articles", "submit", ONE).out
        == "0 articles submitted, 1 skipped (already enriched or in progress)\n"
    )
    assert _json(local_mode, "submit", ONE, "--force")["accepted"] == 1
    refused = local_mode.run("articles", "forget", ONE)
    assert refused.code == 2
    assert "--yes" in refused.err
    assert local_mode.run("articles", "forget", ONE, "--yes").out == f"forgotten: {ONE}\n"
    assert local_mode.run("articles", "show", ONE).code == 1
    unknown = local_mode.run("articles", "submit", "no urn")
    assert unknown.code == 2
    assert "URN" in unknown.err
