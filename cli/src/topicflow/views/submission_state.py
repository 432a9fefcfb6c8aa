"""Where one topic or article stands: the first lines of its picture."""

from typing import Any

from rich.text import Text

from local_processes.plain_text import one_line, plain
from topicflow.actions.system_state import waiting_line
from topicflow.views.state_view import STYLES
from topicflow.views.times import local_time


def heading(name: str, status: str) -> Text:
    return Text.assemble((one_line(name), "bold"), "  ", (one_line(status), STYLES.get(status, "")))


def summary(submission: dict[str, Any], **ended_at: str | None) -> dict[str, Text]:
    """`ended_at`: when it was, by the word for it."""
    facts = {
        "Id": Text(one_line(submission.get("id", ""))),
        "Attempt": Text(one_line(submission.get("attempt", ""))),
        "Submitted": Text(local_time(submission.get("created_at"))),
        **{word: Text(local_time(time)) for word, time in ended_at.items()},
        "Waiting": Text(waiting_line(submission.get("waiting_for")) or "", style="yellow"),
        "Error": Text(plain(submission.get("error_message") or ""), style="red"),
        "Simulated": Text("a simulator for Gemini wrote this" if submission.get("simulated") else "", style="magenta"),
    }
    return {label: value for label, value in facts.items() if value.plain}
