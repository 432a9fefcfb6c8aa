"""What becomes of a title or a URN that is submitted, by what is known of it: the one rule. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.projection import Found


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one submission: its name (title or URN) and status now, and the attempt to ask for, or None to skip it."""

    id: str
    name: str
    status: str
    attempt: int | None


def judge(
    names: Sequence[str], ids: Sequence[str], known: Mapping[str, Found], *, force: bool
) -> tuple[list[Verdict], list[str]]:
    """One verdict on each submission that these mean, and those to skip, both in the order sent.

    `names`: titles or URNs; `ids`: their own; `known`: what there is, by the id of the name that means it.
    """
    verdicts: dict[str, Verdict] = {}
    skipped = []
    for name, id_ in zip(names, ids, strict=True):
        verdict = _judge_one(name, id_, known.get(id_), force)
        if verdict.attempt is None or verdict.id in verdicts:
            skipped.append(name)
        verdicts.setdefault(verdict.id, verdict)
    return list(verdicts.values()), skipped


def _judge_one(name: str, id_: str, found: Found | None, force: bool) -> Verdict:
    if found is None:
        return Verdict(id_, name, "pending", 1)
    if found.status not in {"failed", "removed"} and not force:
        return Verdict(found.id, found.title or name, found.status, None)
    is_its_own = found.id == id_  # else it is what the model called a topic
    return Verdict(found.id, name if is_its_own else found.title or name, "pending", found.attempt + 1)
