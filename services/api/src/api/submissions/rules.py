"""Decides whether a submitted title or URN gets an attempt, from its known state. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.projection.repository import KnownSubmission
from shared.ids import article_id, topic_id

FAILED_FOR_NOW = timedelta(hours=24)  # then a scan submits a failed article again, even with unchanged text


@dataclass(frozen=True, slots=True)
class Verdict:
    """`name`: title or URN; `status` and `attempt`: after this request; `is_due`: that attempt is to be submitted."""

    id: str
    name: str
    status: str
    attempt: int
    is_due: bool


def decide_topic(title: str, existing: KnownSubmission | None, *, force: bool) -> Verdict:
    """`existing`: the topic of this title. `force`: also if it is completed or under way."""
    return _verdict(topic_id(title), title, existing, is_due=existing is None or _is_open(existing, force=force))


def decide_article(
    urn: str, existing: KnownSubmission | None, *, force: bool, input_hash: str | None, now: datetime
) -> Verdict:
    """`input_hash`: of the text as a scan sees it; None: any text."""
    if existing is None:
        is_due = True
    elif force or input_hash is None:
        is_due = _is_open(existing, force=force)
    else:
        is_due = _is_edited(existing, input_hash, now)
    return _verdict(article_id(urn), urn, existing, is_due=is_due)


def distinct(verdicts: Iterable[tuple[str, Verdict]]) -> tuple[list[Verdict], list[str]]:
    """`verdicts`: with the name in the request. Returns one verdict per submission, and the names to skip, both in
    request order."""
    by_id: dict[str, Verdict] = {}
    skipped = []
    for name, verdict in verdicts:
        if not verdict.is_due or verdict.id in by_id:
            skipped.append(name)
        by_id.setdefault(verdict.id, verdict)
    return list(by_id.values()), skipped


def _verdict(id_: str, name: str, existing: KnownSubmission | None, *, is_due: bool) -> Verdict:
    if existing is None:
        return Verdict(id_, name, "pending", 1, is_due=True)
    if not is_due:
        return Verdict(existing.id, existing.name or name, existing.status, existing.attempt, is_due=False)
    is_its_own = existing.id == id_  # otherwise it matched a title given by the model
    name = name if is_its_own else existing.name or name
    return Verdict(existing.id, name, "pending", existing.attempt + 1, is_due=True)


def _is_open(existing: KnownSubmission, *, force: bool) -> bool:
    """Failed or removed ones can be submitted again, with `force` all."""
    return force or existing.status in {"failed", "removed"}


def _is_edited(existing: KnownSubmission, input_hash: str, now: datetime) -> bool:
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
