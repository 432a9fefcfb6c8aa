"""POST /topics/import: a completed topic of the old system is imported with its content, any other is queued."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access.scopes import require_scope
from api.dependencies import Projection, Publishing
from api.imports.rules import Became, ImportVerdict, TopicToImport, judge
from shared.events import IMPORT, SubmissionCompleted, TopicSubmitted
from shared.ids import topic_id
from shared.messaging.cloudevents import Record, encode
from shared.observability.metrics import SUBMISSIONS

router = APIRouter()


class TopicsToImport(BaseModel):
    model_config = ConfigDict(extra="forbid")

    topics: Annotated[list[TopicToImport], Field(min_length=1, max_length=500)]
    dry_run: bool = False


class ImportedTopic(BaseModel):
    id: str
    title: str
    legacy_id: int | None
    verdict: Became
    reason: str | None


class TopicsImported(BaseModel):
    dry_run: bool
    imported: int
    queued: int
    skipped: int
    topics: list[ImportedTopic]


@router.post(
    "/topics/import",
    status_code=202,
    dependencies=[require_scope("operate")],
    responses={200: {"model": TopicsImported, "description": "Dry run: what the import would do"}},
)
async def import_topics(
    body: TopicsToImport, projection: Projection, publisher: Publishing, response: Response
) -> TopicsImported:
    """Import topics from the old system. Idempotent. A dry run changes nothing and reports what the import would do."""
    judged = judge(body.topics, await projection.find({topic_id(old.title) for old in body.topics}))
    counts = Counter(one.became for one in judged)
    if body.dry_run:
        response.status_code = 200
    else:
        now = datetime.now(UTC)
        await publisher.publish_work([record for one in judged for record in _records(one, now, publisher.source)])
        for verdict, number in counts.items():
            SUBMISSIONS.labels("topic", verdict).inc(number)
    return TopicsImported(
        dry_run=body.dry_run,
        imported=counts["imported"],
        queued=counts["queued"],
        skipped=counts["skipped"],
        topics=[
            ImportedTopic(
                id=one.id, title=one.title, legacy_id=one.old.legacy_id, verdict=one.became, reason=one.reason
            )
            for one in judged
        ],
    )


def _records(judged: ImportVerdict, now: datetime, source: str) -> Iterator[Record]:
    old = judged.old
    ended = min(old.completed_at or old.created_at or now, now)
    submitted_at = min(old.created_at or ended, ended)
    if judged.became == "imported":
        yield encode(_completed(judged, judged.title, submitted_at), source=source, time=ended)
    elif judged.became == "queued":
        yield encode(
            TopicSubmitted(
                id=judged.id,
                attempt=judged.attempt,
                title=judged.title,
                submitted_at=submitted_at,
                submitted_by=IMPORT,
                legacy_id=old.legacy_id,
            ),
            source=source,
        )
    elif judged.adopts:
        yield encode(_completed(judged, None, now).model_copy(update={"content": None, "skipped": True}), source=source)


def _completed(judged: ImportVerdict, title: str | None, submitted_at: datetime) -> SubmissionCompleted:
    """The run is named after the legacy row, so that importing it again is the same event."""
    return SubmissionCompleted(
        id=judged.id,
        attempt=judged.attempt,
        kind="topic",
        title=title,
        submitted_at=submitted_at,
        run=IMPORT if judged.old.legacy_id is None else f"{IMPORT}-{judged.old.legacy_id}",
        worker=IMPORT,
        legacy_id=judged.old.legacy_id,
        content=judged.old.content,
    )
