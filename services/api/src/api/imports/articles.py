"""POST /articles/import: articles enriched by the old system count as enriched here, without a result."""

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.access.scopes import require_scope
from api.dependencies import Projection, Publishing
from api.imports.rules import ArticleImportVerdict, Became, judge_articles
from shared.events import IMPORT, SubmissionCompleted
from shared.ids import article_id
from shared.messaging.cloudevents import Record, encode
from shared.observability.metrics import SUBMISSIONS
from shared.text.urns import checked_urn

router = APIRouter()


class ArticlesToImport(BaseModel):
    model_config = ConfigDict(extra="forbid")

    urns: Annotated[list[Annotated[str, AfterValidator(checked_urn)]], Field(min_length=1, max_length=500)]
    dry_run: bool = False


class ImportedArticle(BaseModel):
    id: str
    urn: str
    verdict: Became
    reason: str | None


class ArticlesImported(BaseModel):
    dry_run: bool
    imported: int
    skipped: int
    articles: list[ImportedArticle]


@router.post(
    "/articles/import",
    status_code=202,
    dependencies=[require_scope("operate")],
    responses={200: {"model": ArticlesImported, "description": "Dry run: what the import would do"}},
)
async def import_articles(
    body: ArticlesToImport, projection: Projection, publisher: Publishing, response: Response
) -> ArticlesImported:
    """Import articles enriched by the old system. Each is enriched again only if its text changes after the next scan.

    Idempotent. A dry run changes nothing and reports what the import would do.
    """
    judged = judge_articles(body.urns, await projection.find({article_id(urn) for urn in body.urns}))
    counts = Counter(one.became for one in judged)
    if body.dry_run:
        response.status_code = 200
    else:
        now = datetime.now(UTC)
        imported = [one for one in judged if one.became == "imported"]
        await publisher.publish_work([_record(one, now, publisher.source) for one in imported])
        for verdict, number in counts.items():
            SUBMISSIONS.labels("article", verdict).inc(number)
    return ArticlesImported(
        dry_run=body.dry_run,
        imported=counts["imported"],
        skipped=counts["skipped"],
        articles=[ImportedArticle(id=one.id, urn=one.urn, verdict=one.became, reason=one.reason) for one in judged],
    )


def _record(judged: ArticleImportVerdict, now: datetime, source: str) -> Record:
    """Without the text's hash, which the next scan adds."""
    completed = SubmissionCompleted(
        id=judged.id,
        attempt=judged.attempt,
        kind="article",
        urn=judged.urn,
        submitted_at=now,
        run=IMPORT,
        worker=IMPORT,
        skipped=True,
    )
    return encode(completed, source=source, time=now)
