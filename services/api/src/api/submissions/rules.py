"""What becomes of a title or a URN that is submitted, by what is known of it: the one rule. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.projection.repository import KnownSubmission

FAILED_FOR_NOW = timedelta(hours=24)  # then a scan takes up again what failed, although its text is the same


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one submission: its name (title or URN) and status now, and the attempt to ask for, or None to skip it."""

    id: str
    name: str
    status: str
    attempt: int | None


def judge(
    names: Sequence[str],
    ids: Sequence[str],
    known: Mapping[str, KnownSubmission],
    is_due: Callable[[str, KnownSubmission], bool],
) -> tuple[list[Verdict], list[str]]:
    """One verdict on each submission that these mean, and those to skip, both in the order sent.

    `names`: titles or URNs; `ids`: their own; `known`: what there is, by the id of the name that means it; `is_due`:
    whether that, by this name, gets another attempt.
    """
    verdicts: dict[str, Verdict] = {}
    skipped = []
    for name, id_ in zip(names, ids, strict=True):
        verdict = _judge_one(name, id_, known.get(id_), is_due)
        if verdict.attempt is None or verdict.id in verdicts:
            skipped.append(name)
        verdicts.setdefault(verdict.id, verdict)
    return list(verdicts.values()), skipped


def _judge_one(
    name: str, id_: str, found: KnownSubmission | None, is_due: Callable[[str, KnownSubmission], bool]
) -> Verdict:
    if found is None:
        return Verdict(id_, name, "pending", 1)
    if not is_due(name, found):
        return Verdict(found.id, found.title or name, found.status, None)
    is_its_own = found.id == id_  # else it is what the model called a topic
    return Verdict(found.id, name if is_its_own else found.title or name, "pending", found.attempt + 1)


def is_open(found: KnownSubmission, *, force: bool) -> bool:
    """To be asked for again: what failed or was removed, and with force everything."""
    return force or found.status in {"failed", "removed"}


def is_edited(found: KnownSubmission, input_hash: str, now: datetime) -> bool:
    """An article, as a scan has it. Of what was moved in nobody knows the text: it counts as what it is now."""
    match found.status:
        case "completed":
            return found.input_hash not in {None, input_hash}
        case "failed":
            return found.input_hash != input_hash or found.ended_at is None or now - found.ended_at > FAILED_FOR_NOW
    return found.status == "removed"
