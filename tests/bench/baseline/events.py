"""What the worker by hand says of submissions, and what the projector by hand makes of events. Pure."""

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
Said = tuple[str, Mapping[str, str], str]  # id of the submission, headers, JSON


def outcomes(submitted: Sequence[bytes]) -> Iterator[Said]:
    for at in range(0, len(submitted), A_CALL):
        asked = [json.loads(data) for data in submitted[at : at + A_CALL]]
        cards = json.loads(answer(json.dumps([{"id": s["id"], "title": s["title"]} for s in asked])))
        for s, card in zip(asked, cards, strict=True):
            yield _said("SubmissionStarted", s, {})
            yield _said("SubmissionCompleted", s, {"content": card})


def _said(event: str, submitted: dict[str, Any], more: dict[str, Any]) -> Said:
    data = json.dumps({"id": submitted["id"], "attempt": 1, "kind": "topic", "title": submitted["title"], **more})
    headers = {"ce_id": str(uuid4()), "ce_type": f"topicflow.{event}.v1", "ce_time": datetime.now(UTC).isoformat()}
    return submitted["id"], headers, data


@dataclass(slots=True)
class Told:
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


Store = Callable[[Told, Mapping[str, Any]], None]  # in one transaction, with the positions that were reached
