"""Writes an article's annotation to the catalogue.

Consumes: ArticleAnnotated
Publishes: SubmissionStarted, SubmissionParked, SubmissionCompleted, SubmissionFailed
Writes: the catalogue
Fails: Refused, if the article does not exist or the write is rejected; Outage, if the catalogue or the API is
    unavailable
"""

import time
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from enricher.catalog_client import CatalogClient
from enricher.catalog_schema import CatalogArticle
from enricher.topicflow_api import SubmissionsApi
from shared.events import ArticleAnnotated, SubmissionCompleted, WorkRequested
from shared.worker.run import Run

AGENT = "topicflow"
FRESH = timedelta(seconds=10)
SLOW = 4.0  # seconds of a call, during which a newer submission may have been annotated and written
WRITTEN_BY = "submission"  # field of `extras`: the submission that wrote last
WriteState = Literal["due", "written", "overtaken", "mixed"]


class OnArticleAnnotated:
    def __init__(self, catalog: CatalogClient, api: SubmissionsApi) -> None:
        self._catalog = catalog
        self._api = api

    async def __call__(self, event: ArticleAnnotated, run: Run) -> SubmissionCompleted:
        """Makes two writes; the completion mark comes last, so after a crash in between the redelivery repeats both.
        Results of a newer submission are kept."""
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
        """Returns the article as it is afterwards, if another submission may have written meanwhile: the catalogue has
        no conditional writes."""
        if await _is_slow(self._catalog.enhance(event.urn, AGENT, ai_fields(result))):
            there = await self._catalog.read(event.urn)
            if write_state(there, event, result) != "due":
                return there
        if await _is_slow(self._catalog.patch(event.urn, extras(result) | {WRITTEN_BY: _mark(event)})):
            return await self._catalog.read(event.urn)
        return None


def write_state(there: CatalogArticle, event: ArticleAnnotated, result: dict[str, Any]) -> WriteState:
    """State of this write. `overtaken`: a newer submission, or another run of this attempt, is written.
    `mixed`: both were written concurrently, so the catalogue has fields of either."""
    mark, has_our_fields = there.extras.get(WRITTEN_BY), _ai_fields_of(there) == ai_fields(result)
    if mark == _mark(event):
        return "written" if has_our_fields else "mixed"
    if is_newer(mark, event):
        return "mixed" if has_our_fields else "overtaken"
    is_annotated_twice = isinstance(mark, dict) and submission_mark(event).items() <= mark.items()
    return "overtaken" if is_annotated_twice else "due"


def _is_fresh(event: ArticleAnnotated, run: Run) -> bool:
    """Read for its annotation moments ago, and no write has begun."""
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
    """The parts of the result that have no field of their own."""
    evaluation = {name: value for name, value in result["evaluation"].items() if name != "verdict"}
    return {name: value for name, value in result.items() if name not in {"keywords", "study_type"}} | {
        "evaluation": evaluation
    }


def submission_mark(event: WorkRequested) -> dict[str, Any]:
    """How the catalogue identifies a submission."""
    return {"time": event.submitted_at.isoformat(), "attempt": event.attempt}


def _mark(event: ArticleAnnotated) -> dict[str, Any]:
    return submission_mark(event) | {"run": event.run}


def is_newer(there: Any, event: WorkRequested) -> bool:
    """Whether `there` was written by a later submission. Tolerates any value: other clients write there too."""
    if not isinstance(there, dict):
        return False
    try:
        time = datetime.fromisoformat(str(there.get("time")))
        return (time, int(there.get("attempt", 0))) > (event.submitted_at, event.attempt)
    except (ValueError, TypeError):
        return False
