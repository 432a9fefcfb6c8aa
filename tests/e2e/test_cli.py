"""The other commands beside a running `topicflow up`: their output, JSON and exit codes."""

import json
import signal
from pathlib import Path

import pytest
from e2e.local_mode import LocalMode, run
from eventually import eventually
from servers import free_port


def test_submit_wait_ends_when_each_topic_has_ended_and_status_agrees(local_mode: LocalMode) -> None:
    waited = local_mode.run("submit", "B-trees", "LSM trees", "--wait")
    assert (waited.code, waited.out) == (0, "2 topics submitted\n2 of 2 completed\n")
    status = json.loads(local_mode.run("status", "--json").out)
    page = json.loads(local_mode.run("topics", "list", "--json", "--limit", "100").out)
    assert status["completed_count"] == len([t for t in page["topics"] if t["status"] == "completed"])
    assert {"B-trees", "LSM trees"} <= {topic["title"] for topic in page["topics"]}


def test_json_is_exactly_the_answer_of_the_route(local_mode: LocalMode) -> None:
    submitted = json.loads(local_mode.run("submit", "Naïve Bayes: 日本語", "--json").out)
    topic = submitted["topics"][0]
    assert topic["title"] == "Naïve Bayes: 日本語"
    assert (submitted["total_topics"], submitted["saved_topics"]) == (1, 1)
    assert local_mode.run("submit", topic["title"], "--wait").code == 0
    shown = local_mode.run("topics", "show", topic["id"], "--json").out
    assert json.loads(shown)["id"] == topic["id"]
    assert json.loads(shown)["content"] == local_mode.get(f"/api/v1/topics/{topic['id']}").json()["content"]


def test_json_with_wait_is_one_document_with_the_final_state_of_each_topic(local_mode: LocalMode) -> None:
    waited = local_mode.run("submit", "-", "--wait", "--json", stdin="Quorums\n\n# none\nVector clocks\nquorums\n")
    answer = json.loads(waited.out)
    assert waited.code == 0
    assert (answer["total_topics"], answer["saved_topics"], answer["skipped_topics"]) == (3, 2, 1)
    assert [topic["status"] for topic in answer["topics"]] == ["completed", "completed"]
    assert all(topic["content"]["description"] for topic in answer["topics"])


def test_more_titles_than_a_request_allows_are_reported_as_one_submission(
    local_mode: LocalMode, tmp_path: Path
) -> None:
    titles = tmp_path / "many.txt"
    titles.write_text("\n".join(f"many {n}" for n in range(1100)))
    waited = local_mode.run("submit", str(titles), "--wait", "--json")
    answer = json.loads(waited.out)
    assert waited.code == 0
    assert (answer["total_topics"], answer["saved_topics"], len(answer["topics"])) == (1100, 1100, 1100)
    assert {topic["status"] for topic in answer["topics"]} == {"completed"}
    assert "\x1b" not in waited.err


def test_a_topic_that_fails_is_named_and_the_exit_code_is_1(local_mode: LocalMode) -> None:
    local_mode.simulator("POST", "/faults", {"fault": "block", "title_contains": "forbidden"})
    waited = local_mode.run("submit", "forbidden [red]fruit", "allowed fruit", "--wait")
    assert (waited.code, waited.out) == (1, "2 topics submitted\n1 of 2 completed, 1 failed\n")
    assert "failed: forbidden [red]fruit: " in waited.err
    assert "forbidden [red]fruit" in local_mode.run("status").out
    assert "forbidden [red]fruit" in local_mode.run("topics", "list", "--status", "failed").out
    assert "failed" in local_mode.run("topics", "show", "forbidden [red]fruit").out


def test_submit_wait_waits_for_the_next_attempt_of_a_failed_topic(local_mode: LocalMode) -> None:
    local_mode.simulator("POST", "/faults", {"fault": "block", "title_contains": "twice"})
    assert local_mode.run("submit", "twice", "--wait").code == 1
    local_mode.simulator("DELETE", "/faults")
    again = local_mode.run("submit", "twice", "--wait")
    assert (again.code, again.out) == (0, "1 topic submitted\n1 of 1 completed\n")


def test_retry_repeats_a_failed_topic_and_another_one_only_when_forced(local_mode: LocalMode) -> None:
    local_mode.simulator("POST", "/faults", {"fault": "block", "title_contains": "retried"})
    assert local_mode.run("submit", "retried", "--wait").code == 1
    local_mode.simulator("DELETE", "/faults")
    assert local_mode.run("topics", "retry", "retried").code == 0
    assert local_mode.run("submit", "retried", "--wait").code == 0
    refused = local_mode.run("topics", "retry", "retried")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    forced = local_mode.run("topics", "retry", "retried", "--force", "--json")
    assert (forced.code, isinstance(json.loads(forced.out), dict)) == (0, True)


async def test_an_interrupted_wait_says_that_the_work_continues(local_mode: LocalMode) -> None:
    local_mode.simulator("PUT", "/seconds", {"seconds": 60})
    waiting = local_mode.begin("submit", "slow one", "--wait")
    await eventually(lambda: "slow one" in local_mode.get("/api/v1/topics?status=processing").text, within=10)
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=10)
    assert waiting.returncode == 130
    assert "the work continues" in err.splitlines()[-1]
    assert "Traceback" not in err


def test_a_watched_status_ends_with_an_interrupt(local_mode: LocalMode) -> None:
    watching = local_mode.begin("status", "--watch")
    assert watching.stdout
    first = watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=10)
    assert watching.returncode == 130
    assert "completed" in first


def test_a_refusal_of_the_api_is_one_line_with_its_exit_code(local_mode: LocalMode) -> None:
    absent = local_mode.run("topics", "show", "never submitted")
    assert (absent.code, absent.err.count("\n")) == (1, 1)
    no_urn = local_mode.run("articles", "submit", "no urn")
    assert (no_urn.code, no_urn.err.count("\n"), "urns" in no_urn.err) == (2, 1, True)


@pytest.mark.parametrize(
    "arguments",
    [["submit"], ["submit", "--batch-size", "6", "x"], ["topics", "list", "--status", "gone"], ["nonsense"]],
)
def test_wrong_use_has_exit_code_2(tmp_path: Path, arguments: list[str]) -> None:
    assert run(tmp_path, *arguments).code == 2


@pytest.mark.parametrize("arguments", [["status"], ["submit", "x"], ["topics", "list"], ["topics", "show", "1"]])
def test_an_unreachable_api_has_exit_code_3_and_one_line(tmp_path: Path, arguments: list[str]) -> None:
    ended = run(tmp_path, *arguments, "--url", f"http://127.0.0.1:{free_port()}")
    assert ended.code == 3
    assert ended.err.startswith("topicflow: nothing answers at http://127.0.0.1:")
    assert ended.err.count("\n") == 1


def test_the_version_is_printed(tmp_path: Path) -> None:
    version = run(tmp_path, "--version")
    assert (version.code, version.out.split()[0]) == (0, "topicflow")
