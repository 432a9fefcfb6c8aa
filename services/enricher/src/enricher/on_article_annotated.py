"""The other half: what was found out about an article, and is paid for, is written into the catalogue.

Consumes: ArticleAnnotated
Publishes: SubmissionStarted, SubmissionParked, SubmissionCompleted, SubmissionFailed
Writes: the catalogue
Fails: Refused, when it has no such article or refuses what is written; Outage, when it is away
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from enricher.catalog import Catalog
from shared.events import ArticleAnnotated, CausesWork, SubmissionCompleted
from shared.run import Run

AGENT = "topicflow"
FRESH = timedelta(seconds=10)
WRITTEN_BY = "submission"  # in `extras`: which submission wrote them last


class OnArticleAnnotated:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def __call__(self, event: CausesWork, run: Run) -> SubmissionCompleted:
        """Two calls; what says that it is done is written last, so a crash in between is repaired by the next
        delivery. What a newer submission wrote stays."""
        assert isinstance(event, ArticleAnnotated)
        there = await self._written_by(event, run)
        result = event.annotation | {"input_hash": event.input_hash, "enriched_at": _now()}
        if is_newer(there, event):
            return run.skipped(event.input_hash)
        if there != named(event):
            await self._catalog.enhance(event.urn, AGENT, ai_fields(result))
            await self._catalog.patch(event.urn, extras(result) | {WRITTEN_BY: named(event)})
        return run.completed(result, simulated=event.simulated, input_hash=event.input_hash)

    async def _written_by(self, event: ArticleAnnotated, run: Run) -> Any:
        """What the catalogue says of it; None where it was read a moment ago, to be annotated."""
        is_fresh = not (run.tries or event.requeued) and datetime.now(UTC) - event.annotated_at < FRESH
        return None if is_fresh else (await self._catalog.read(event.urn)).extras.get(WRITTEN_BY)


def ai_fields(result: dict[str, Any]) -> dict[str, Any]:
    return {
        "ai_tags": result["keywords"],
        "ai_category": result["study_type"],
        "ai_key_takeaways": result["evaluation"]["verdict"],
    }


def extras(result: dict[str, Any]) -> dict[str, Any]:
    """All that has no field of its own."""
    evaluation = {name: value for name, value in result["evaluation"].items() if name != "verdict"}
    return {name: value for name, value in result.items() if name not in {"keywords", "study_type"}} | {
        "evaluation": evaluation
    }


def named(event: CausesWork) -> dict[str, Any]:
    """A submission, as the catalogue keeps it."""
    return {"time": event.submitted_at.isoformat(), "attempt": event.attempt}


def is_newer(there: Any, event: CausesWork) -> bool:
    """What wrote it was submitted later. Anybody may have written anything there."""
    if not isinstance(there, dict):
        return False
    try:
        time = datetime.fromisoformat(str(there.get("time")))
        return (time, int(there.get("attempt", 0))) > (event.submitted_at, event.attempt)
    except (ValueError, TypeError):
        return False


def _now() -> str:
    return datetime.now(UTC).isoformat()
