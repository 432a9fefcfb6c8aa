"""Topics, articles and scans as the API answers them; docs/openapi.json has every field. Newer fields are ignored."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, ConfigDict

Status = Literal["pending", "processing", "completed", "failed", "removed"]
ENDS = ("completed", "failed", "removed")


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


class WaitingFor(Model):
    """Why work waits: `reason` is one word, such as `quota`; `message` says more, if more is known."""

    reason: str
    since: AwareDatetime
    until: AwareDatetime | None = None
    message: str = ""


class SubmittedTopic(Model):
    """`attempt`: the one to wait for; None if an older server does not say. `status`: after the request."""

    id: str
    title: str
    status: Status
    attempt: int | None = None

    @property
    def path(self) -> str:
        return f"/topics/{self.id}"


class SubmittedArticle(Model):
    """`attempt` and `status` as of a SubmittedTopic."""

    id: str
    urn: str
    status: Status
    attempt: int | None = None

    @property
    def path(self) -> str:
        return article_path(self.urn)


class Ran(Model):
    """What topics and articles share. `tries`: within the attempt; `simulated`: whether a simulator made the result."""

    created_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None
    error_message: str | None = None
    waiting_for: WaitingFor | None = None
    worker: str | None = None
    submitted_by: str | None = None
    tries: int = 0
    simulated: bool | None = None


class Topic(SubmittedTopic, Ran):
    """`content`: the study card, once there is one."""

    started_at: AwareDatetime | None = None
    completed_at: AwareDatetime | None = None
    legacy_id: int | None = None
    content: Mapping[str, Any] | None = None


class Article(SubmittedArticle, Ran):
    """`result`: the enrichment written to the catalogue, from the newest attempt that has one."""

    enriched_at: AwareDatetime | None = None
    result: Mapping[str, Any] | None = None


class TopicsSubmitted(Model):
    """`topics`: each once, the skipped ones too, in the order of submission. `skipped_titles`: the first five."""

    total_topics: int
    saved_topics: int
    skipped_topics: int
    skipped_titles: tuple[str, ...] = ()
    topics: tuple[SubmittedTopic, ...]


class ArticlesSubmitted(Model):
    """`articles`: each once, the skipped ones too, in the order of submission."""

    accepted: int
    skipped: int
    articles: tuple[SubmittedArticle, ...]


class Scan(Model):
    """The latest walk over the catalogue. `seen`: articles on the pages read; `submitted`: those not yet enriched."""

    id: str
    scan: str
    status: Status
    pages: int
    seen: int
    submitted: int
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    error_message: str | None = None
    waiting_for: WaitingFor | None = None


class Failure(Model):
    id: str
    title: str | None
    error_message: str | None
    created_at: AwareDatetime | None


class ProcessingStatus(Model):
    """Counts of all topics. `projection_lag_seconds`: how old they may be; None while unknown."""

    is_processing: bool
    pending_count: int
    processing_count: int
    completed_count: int
    failed_count: int
    total_count: int
    recent_failures: tuple[Failure, ...] = ()
    waiting_for: WaitingFor | None = None
    simulated: bool | None = None
    as_of: AwareDatetime | None = None
    projection_lag_seconds: float | None = None


def article_path(urn: str) -> str:
    return f"/articles/{quote(urn, safe='')}"
