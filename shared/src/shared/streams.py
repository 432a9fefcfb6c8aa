"""Every stream with its key, events and readers: the map of the system. Provisioned by `messaging/`."""

from dataclasses import dataclass

from shared.events import (
    ArticleAnnotated,
    ArticleRemoved,
    ArticleSubmitted,
    CatalogScanRequested,
    Event,
    ForgetArticle,
    SubmissionCompleted,
    SubmissionFailed,
    SubmissionParked,
    SubmissionStarted,
    TopicRemoved,
    TopicSubmitted,
    UsageReported,
    WorkerHeartbeat,
    WorkerPauseChanged,
)

PROJECTOR = "status-projector"
TOPIC_WORKER = "topic-worker"
ENRICHER = "enricher"
ANNOTATOR, CATALOG_WRITER, SCANNER = ENRICHER, "enricher-writes", "enricher-scans"  # its groups: one a kind of work


@dataclass(frozen=True, slots=True)
class Stream:
    name: str
    key: str  # what the partition is chosen by
    events: tuple[type[Event], ...]
    groups: tuple[str, ...] = ()  # who settles it entry by entry
    projected: bool = False  # the status-projector reads it, by positions of its own
    causes_work: bool = False  # a repeated publish within ten minutes is dropped by its event id
    max_length: int | None = None  # entries; only for what nobody settles
    keeps_last: bool = False  # the last value of each key is kept, for ever

    @property
    def dead_letters(self) -> str:
        return f"{self.name}.dead-letter"


TOPIC_SUBMISSIONS = Stream(
    "topic-submissions",
    key="topic id",
    events=(TopicSubmitted, TopicRemoved),
    groups=(TOPIC_WORKER,),
    projected=True,
    causes_work=True,
)
ARTICLE_SUBMISSIONS = Stream(
    "article-submissions",
    key="article id",
    events=(ArticleSubmitted, ForgetArticle, ArticleRemoved),
    groups=(ANNOTATOR,),
    projected=True,
    causes_work=True,
)
ARTICLE_ANNOTATIONS = Stream(
    "article-annotations",
    key="article id",
    events=(ArticleAnnotated,),
    groups=(CATALOG_WRITER,),
    projected=True,
    causes_work=True,
)
CATALOG_SCANS = Stream(
    "catalog-scans",
    key="scan id",
    events=(CatalogScanRequested,),
    groups=(SCANNER,),
    projected=True,
    causes_work=True,
)
SUBMISSION_OUTCOMES = Stream(
    "submission-outcomes",
    key="submission id",
    events=(SubmissionStarted, SubmissionParked, SubmissionCompleted, SubmissionFailed),
    projected=True,
)
WORKER_CONTROL = Stream(
    "worker-control", key="what is controlled", events=(WorkerPauseChanged, UsageReported), keeps_last=True
)
WORKER_HEARTBEATS = Stream("worker-heartbeats", key="instance", events=(WorkerHeartbeat,), max_length=1000)

STREAMS = (
    TOPIC_SUBMISSIONS,
    ARTICLE_SUBMISSIONS,
    ARTICLE_ANNOTATIONS,
    CATALOG_SCANS,
    SUBMISSION_OUTCOMES,
    WORKER_CONTROL,
    WORKER_HEARTBEATS,
)
PROJECTED = tuple(stream for stream in STREAMS if stream.projected)
BY_NAME = {stream.name: stream for stream in STREAMS}
STREAM_OF: dict[type[Event], Stream] = {event: stream for stream in STREAMS for event in stream.events}
EVENT_TYPES: dict[str, type[Event]] = {event.__name__: event for event in STREAM_OF}


def groups_of(service: str) -> tuple[str, ...]:
    """Consumer groups that a service's processes are members of."""
    return (ANNOTATOR, CATALOG_WRITER, SCANNER) if service == ENRICHER else (service,)


def service_of(group: str) -> str:
    return ENRICHER if group in groups_of(ENRICHER) else group


def streams_of(group: str) -> tuple[Stream, ...]:
    """Streams that a consumer group settles."""
    return tuple(stream for stream in STREAMS if group in stream.groups)
