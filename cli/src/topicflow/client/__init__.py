"""The Python client, for `async` programs and for others: docs/client.md shows it."""

from topicflow.client.async_client import AsyncClient
from topicflow.client.events import (
    Changes,
    Counts,
    Event,
    Kind,
    KindCounts,
    Resync,
    Snapshot,
    SubmissionState,
)
from topicflow.client.following.waiting import WaitProgress
from topicflow.client.models import (
    Article,
    ArticlesSubmitted,
    Failure,
    ProcessingStatus,
    Scan,
    Status,
    SubmittedArticle,
    SubmittedTopic,
    Topic,
    TopicsSubmitted,
    WaitingFor,
)
from topicflow.client.sync_client import Client
from topicflow.errors import (
    CommandError,
    Failed,
    NoEventStream,
    NotAllowed,
    NotFound,
    ServiceUnavailable,
    SilentStream,
    Unreachable,
    WrongUse,
)

__all__ = [
    "Article",
    "ArticlesSubmitted",
    "AsyncClient",
    "Changes",
    "Client",
    "CommandError",
    "Counts",
    "Event",
    "Failed",
    "Failure",
    "Kind",
    "KindCounts",
    "NoEventStream",
    "NotAllowed",
    "NotFound",
    "ProcessingStatus",
    "Resync",
    "Scan",
    "ServiceUnavailable",
    "SilentStream",
    "Snapshot",
    "Status",
    "SubmissionState",
    "SubmittedArticle",
    "SubmittedTopic",
    "Topic",
    "TopicsSubmitted",
    "Unreachable",
    "WaitProgress",
    "WaitingFor",
    "WrongUse",
]
