"""The outcomes of the hand-written worker, and the rows of the hand-written projector. Pure."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from bench.card import answer

GROUP, SUBMISSIONS, OUTCOMES = "topic-worker", "topic-submissions", "submission-outcomes"
RANKS = {"topicflow.SubmissionStarted.v1": 1, "topicflow.SubmissionCompleted.v1": 3}
A_CALL = 5  # titles
OutcomeMessage = tuple[str, Mapping[str, str], str]  # id of the submission, headers, JSON


def outcomes(submitted: Sequence[bytes]) -> Iterator[OutcomeMessage]:
    for at in range(0, len(submitted), A_CALL):
        submissions = [json.loads(data) for data in submitted[at : at + A_CALL]]
        cards = json.loads(answer(json.dumps([{"id": s["id"], "title": s["title"]} for s in submissions])))
        for s, card in zip(submissions, cards, strict=True):
            yield _outcome("SubmissionStarted", s, {})
            yield _outcome("SubmissionCompleted", s, {"content": card})


def _outcome(event: str, submitted: dict[str, Any], more: dict[str, Any]) -> OutcomeMessage:
    data = json.dumps({"id": submitted["id"], "attempt": 1, "kind": "topic", "title": submitted["title"], **more})
    headers = {"ce_id": str(uuid4()), "ce_type": f"topicflow.{event}.v1", "ce_time": datetime.now(UTC).isoformat()}
    return submitted["id"], headers, data


@dataclass(slots=True)
class BatchRows:
    """Rows of the tables, of one batch."""

    submissions: dict[str, tuple[str, str, int, str, str]] = field(default_factory=dict)  # by id
    contents: list[tuple[str, str]] = field(default_factory=list)
    history: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, type_: bytes, event_id: bytes, time: bytes, event: bytes) -> None:
        name, at, data = type_.decode(), time.decode(), json.loads(event)
        id_, rank = data["id"], RANKS.get(name, 0)
        if rank >= self.submissions.get(id_, ("", "", -1, "", ""))[2]:
            self.submissions[id_] = (id_, data["title"], rank, name, at)
        if rank == 3:
            self.contents.append((id_, json.dumps(data["content"])))
        self.history.append((event_id.decode(), id_, name, at))


Store = Callable[[BatchRows, Mapping[str, Any]], None]  # in one transaction, with the positions that were reached
