"""Decides whether a submitted title or URN gets an attempt, from its known state. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.projection.repository import KnownSubmission

FAILED_FOR_NOW = timedelta(hours=24)  # then a scan submits a failed article again, even with unchanged text


@dataclass(frozen=True, slots=True)
class Verdict:
    """`name`: title or URN; `status`: after this request; `attempt`: the attempt to submit, None to skip."""

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
    """One verdict per distinct submission, and the names to skip, both in request order.

    `names`: titles or URNs; `ids`: derived from them; `known`: existing submissions, by the id derived from the name;
    `is_due`: whether an existing submission, under this name, gets another attempt.
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
    name: str, id_: str, existing: KnownSubmission | None, is_due: Callable[[str, KnownSubmission], bool]
) -> Verdict:
    if existing is None:
        return Verdict(id_, name, "pending", 1)
    if not is_due(name, existing):
        return Verdict(existing.id, existing.name or name, existing.status, None)
    is_its_own = existing.id == id_  # otherwise it matched a title given by the model
    return Verdict(existing.id, name if is_its_own else existing.name or name, "pending", existing.attempt + 1)


def is_open(existing: KnownSubmission, *, force: bool) -> bool:
    """Whether it can be submitted again: failed or removed ones, with `force` all."""
    return force or existing.status in {"failed", "removed"}


def is_edited(existing: KnownSubmission, input_hash: str, now: datetime) -> bool:
    """The rule for articles in a scan. The text of imported articles is unknown and counts as unchanged."""
    match existing.status:
        case "completed":
            return existing.input_hash not in {None, input_hash}
        case "failed":
            return (
                existing.input_hash != input_hash
                or existing.ended_at is None
                or now - existing.ended_at > FAILED_FOR_NOW
            )
    return existing.status == "removed"
