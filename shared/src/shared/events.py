"""All events that the services exchange. Encoded by `messaging/cloudevents.py`, routed by `streams.py`."""

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.ids import derived_id

Kind = Literal["topic", "article", "scan"]
IMPORT, SCAN = "import", "scan"  # named as the worker of an end that is only told: no worker brought it


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


TOKENS = ("tokens_in", "tokens_out", "tokens_cached", "tokens_thought")  # of a paid call


class Usage(_Model):
    """One submission's share of one paid LLM call; shares of a call add up to the whole call."""

    call_id: str
    model: str
    prompt_version: str
    tokens_in: int
    tokens_out: int
    tokens_cached: int = 0
    tokens_thought: int = 0
    cost: float | None = None  # US dollars; None: not priced
    priced_as: str = ""  # the model whose price was taken, where that of `model` is not known
    seconds: float
    shared_by: int = 1
    finish_reason: str = ""
    simulated: bool = False
    wasted: str = ""  # why the answer was of no use to this submission, as far as its worker knows


class Requeued(_Model):
    """Present on a requeued copy: the same attempt, published at the end of its stream for the n-th time.

    `not_before`: for a later version, which will begin no call earlier.
    """

    n: int
    tries: int
    starts: int
    since: AwareDatetime
    not_before: AwareDatetime | None = None


class ErrorDetail(_Model):
    code: str
    message: str


class Event(_Model):
    version: ClassVar[int] = 1


class SubmissionEvent(Event):
    id: str = Field(min_length=1, max_length=64)
    attempt: int = Field(ge=1)


class WorkRequested(SubmissionEvent):
    """An event that gives a worker something to do. `is_attempt`: False if it neither waits for an attempt nor ends
    one."""

    kind: ClassVar[Kind]
    is_attempt: ClassVar[bool] = True
    submitted_at: AwareDatetime
    requeued: Requeued | None = None


class Submitted(WorkRequested):
    """A client requested an attempt at processing a topic or an article. `replay`: id of the replay that did; for a
    later version."""

    submitted_by: str
    force: bool = False
    replay: str | None = None


class Removed(SubmissionEvent):
    """A client removed a submission: ends this attempt and all lower ones."""

    kind: ClassVar[Kind]
    by: str


class TopicSubmitted(Submitted):
    kind = "topic"
    title: str
    batch_size: int = Field(default=5, ge=1, le=5)
    legacy_id: int | None = None


class TopicRemoved(Removed):
    kind = "topic"


class PaidAnnotation(_Model):
    """An annotation that an earlier attempt paid for and that never reached the catalogue."""

    run: str
    annotation: dict[str, Any]
    annotated_at: AwareDatetime
    input_hash: str
    simulated: bool = False


class ArticleSubmitted(Submitted):
    """`input_hash`: of the article's text and the prompts as a scan saw them; None: any text. `paid`: for a later
    version, which will write it instead of paying again."""

    kind = "article"
    urn: str
    input_hash: str | None = None
    paid: PaidAnnotation | None = None


class CatalogScanRequested(WorkRequested):
    """Requests a page of a catalogue scan. The page is the attempt, so a page is never read twice, and a scan's
    progress is shown like that of any submission."""

    kind = "scan"
    scan: str
    after: str = ""  # the URN that the page before ended with
    seen: int = 0  # articles, on the pages before
    submitted: int = 0

    @property
    def progress(self) -> dict[str, int]:
        return {"pages": self.attempt - 1, "seen": self.seen, "submitted": self.submitted}


class ArticleRemoved(Removed):
    """The article counts as not enriched. ForgetArticle does the same to the catalogue."""

    kind = "article"


class ForgetArticle(WorkRequested):
    """Remove the mark of the enrichment from the catalogue. Work of no attempt: `attempt` is the newest one that it
    follows."""

    kind = "article"
    is_attempt = False
    urn: str


class ArticleAnnotated(WorkRequested):
    """The paid half is done and stored before the catalogue is written, so that nothing is paid for again. `again`:
    the attempt had been started before, and may have been annotated then as well."""

    kind = "article"
    urn: str
    run: str
    worker: str
    tries: int = 0
    again: bool = False
    annotation: dict[str, Any]
    annotated_at: AwareDatetime
    input_hash: str
    simulated: bool = False
    usage: tuple[Usage, ...] = ()


class Outcome(SubmissionEvent):
    """A worker's report on one run of a submission."""

    kind: Kind
    title: str | None = None
    urn: str | None = None
    submitted_at: AwareDatetime
    run: str
    worker: str
    tries: int = 0
    legacy_id: int | None = None
    usage: tuple[Usage, ...] = ()


class SubmissionStarted(Outcome): ...


class SubmissionParked(Outcome):
    reason: str
    until: AwareDatetime | None = None


class SubmissionCompleted(Outcome):
    """`input_hash`: of an article's text as it was enriched."""

    content: dict[str, Any] | None = None
    input_hash: str | None = None
    simulated: bool = False
    skipped: bool = False


class SubmissionFailed(Outcome):
    error: ErrorDetail
    dead_lettered: bool = False


PAUSED = "paused"  # the reason during an operator's pause


class WaitingFor(_Model):
    """`message`: the reason in a sentence, if the worker knows more than the one word."""

    reason: str
    since: AwareDatetime
    until: AwareDatetime | None = None
    message: str = ""


class Problem(_Model):
    """A warning: it works, but an operator should fix it."""

    code: str
    text: str


class WorkerHeartbeat(Event):
    """A heartbeat, sent by every process every 2 s. `slots`: the most submissions that it handles
    at a time; `in_flight` includes prefetched ones."""

    service: str
    instance: str
    app_version: str
    started_at: AwareDatetime
    in_flight: int = 0
    slots: int = 0
    processed: int = 0
    failed: int = 0
    waiting_for: WaitingFor | None = None
    simulated: bool | None = None  # None: not known yet
    problems: tuple[Problem, ...] = ()


class WorkerPauseChanged(Event):
    """An operator paused or resumed the workers of a service."""

    service: str
    paused: bool
    by: str
    at: AwareDatetime


class UsageReported(Event):
    """Usage of one day so far for the submissions of one partition, simulated or not. It only grows."""

    day: str  # Gemini's, as 2026-11-24
    kind: Kind
    model: str
    partition: int
    requests: float
    tokens: int  # of prompts
    cost: float  # US dollars

    @property
    def key(self) -> str:
        """Contains no day, so the last value of a key is the newest day's."""
        model = self.model.encode("ascii", "backslashreplace").decode()
        return f"usage|{self.kind}|{model}|{self.partition}"


def subject(event: Event) -> str:
    """The key by which an event is routed to a partition."""
    if isinstance(event, SubmissionEvent):
        return event.id
    if isinstance(event, WorkerHeartbeat):
        return event.instance
    if isinstance(event, UsageReported):
        return event.key
    if isinstance(event, WorkerPauseChanged):
        return f"pause|{event.service}"
    raise TypeError(f"{type(event).__name__} has no key")


def event_id(event: Event, n: int = 0, *, at: datetime) -> str:
    """Derived, so that a repeated publish is recognized. `n`: index among the events of its type in its run.

    What causes work is named by what was asked for, never by who sends it.
    """
    name = type(event).__name__
    parts: tuple[str | int, ...]
    if isinstance(event, ArticleAnnotated):
        parts = (event.id, event.attempt, name, event.run, event.requeued.n if event.requeued else 0)
    elif isinstance(event, WorkRequested):
        parts = (event.id, event.attempt, name, event.requeued.n if event.requeued else 0)
    elif isinstance(event, Outcome):
        parts = (event.id, event.attempt, name, event.run, n)
    elif isinstance(event, SubmissionEvent):
        parts = (event.id, event.attempt, name, n)
    else:
        parts = (subject(event), name, at.isoformat())
    return derived_id("|".join(map(str, parts)))
