"""The other half: what was found out about an article, and is paid for, is written into the catalogue.

Consumes: ArticleAnnotated
Publishes: SubmissionStarted, SubmissionParked, SubmissionCompleted, SubmissionFailed
Writes: the catalogue
Fails: Refused, when it has no such article or refuses what is written; Outage, when it or the API is away
"""

import time
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from enricher.catalog import CatalogClient
from enricher.catalog_schema import CatalogArticle
from enricher.topicflow_api import SubmissionsApi
from shared.events import ArticleAnnotated, CausesWork, SubmissionCompleted
from shared.worker.run import Run

AGENT = "topicflow"
FRESH = timedelta(seconds=10)
SLOW = 4.0  # seconds of a call, in which a newer submission may have been annotated and written
WRITTEN_BY = "submission"  # in `extras`: which submission wrote them last
Standing = Literal["due", "written", "overtaken", "mixed"]


class OnArticleAnnotated:
    def __init__(self, catalog: CatalogClient, api: SubmissionsApi) -> None:
        self._catalog = catalog
        self._api = api

    async def __call__(self, event: CausesWork, run: Run) -> SubmissionCompleted:
        """Two calls; what says that it is done is written last, so a crash in between is repaired by the next
        delivery, which writes the very same. What a newer submission wrote stays."""
        assert isinstance(event, ArticleAnnotated)
        result = event.annotation | {"input_hash": event.input_hash, "enriched_at": event.annotated_at.isoformat()}
        there = None if _is_fresh(event, run) else await self._catalog.read(event.urn)
        if there is None or write_state(there, event, result) == "due":
            there = await self._write(event, result)
        now = write_state(there, event, result) if there else "written"
        if now == "written":
            return run.completed(result, simulated=event.simulated, input_hash=event.input_hash)
        if now != "overtaken":
            await self._api.submit_again(event.urn)
        return run.skipped(event.input_hash)

    async def _write(self, event: ArticleAnnotated, result: dict[str, Any]) -> CatalogArticle | None:
        """What the catalogue has then, if that may be another submission's; it cannot be asked to write on a
        condition."""
        if await _is_slow(self._catalog.enhance(event.urn, AGENT, ai_fields(result))):
            there = await self._catalog.read(event.urn)
            if write_state(there, event, result) != "due":
                return there
        if await _is_slow(self._catalog.patch(event.urn, extras(result) | {WRITTEN_BY: _mark(event)})):
            return await self._catalog.read(event.urn)
        return None


def write_state(there: CatalogArticle, event: ArticleAnnotated, result: dict[str, Any]) -> Standing:
    """Of what this submission writes. `overtaken`: a newer one is written, or this attempt as another run annotated it.
    `mixed`: that was while its calls were on their way, so that the catalogue has something of either."""
    mark, has_our_fields = there.extras.get(WRITTEN_BY), _ai_fields_of(there) == ai_fields(result)
    if mark == _mark(event):
        return "written" if has_our_fields else "mixed"
    if is_newer(mark, event):
        return "mixed" if has_our_fields else "overtaken"
    is_annotated_twice = isinstance(mark, dict) and named(event).items() <= mark.items()
    return "overtaken" if is_annotated_twice else "due"


def _is_fresh(event: ArticleAnnotated, run: Run) -> bool:
    """It was read a moment ago, to be annotated, and nobody has begun to write it."""
    return run.is_first and not event.again and datetime.now(UTC) - event.annotated_at < FRESH


async def _is_slow(call: Awaitable[None]) -> bool:
    began = time.monotonic()
    await call
    return time.monotonic() - began > SLOW


def _ai_fields_of(article: CatalogArticle) -> dict[str, Any]:
    return {
        "ai_tags": article.ai_tags,
        "ai_category": article.ai_category,
        "ai_key_takeaways": article.ai_key_takeaways,
    }


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


def _mark(event: ArticleAnnotated) -> dict[str, Any]:
    return named(event) | {"run": event.run}


def is_newer(there: Any, event: CausesWork) -> bool:
    """What wrote it was submitted later. Anybody may have written anything there."""
    if not isinstance(there, dict):
        return False
    try:
        time = datetime.fromisoformat(str(there.get("time")))
        return (time, int(there.get("attempt", 0))) > (event.submitted_at, event.attempt)
    except (ValueError, TypeError):
        return False
