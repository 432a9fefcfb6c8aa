"""Every event, on one screen: the words the services exchange. Carried by `cloudevents.py`, routed by `streams.py`."""

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
    """A copy put at the tail of its stream again: the same attempt, the n-th time."""

    n: int
    tries: int
    starts: int
    since: AwareDatetime


class ErrorDetail(_Model):
    code: str
    message: str


class Event(_Model):
    version: ClassVar[int] = 1


class SubmissionEvent(Event):
    id: str = Field(min_length=1, max_length=64)
    attempt: int = Field(ge=1)


class CausesWork(SubmissionEvent):
    """A worker has something to do for an attempt."""

    kind: ClassVar[Kind]
    submitted_at: AwareDatetime
    requeued: Requeued | None = None


class Submitted(CausesWork):
    """Somebody asked for one attempt at processing something."""

    submitted_by: str
    force: bool = False


class Removed(SubmissionEvent):
    """Somebody took a submission back: closes this attempt and all lower ones."""

    kind: ClassVar[Kind]
    by: str


class TopicSubmitted(Submitted):
    kind = "topic"
    title: str
    batch_size: int = Field(default=5, ge=1, le=5)
    legacy_id: int | None = None


class TopicRemoved(Removed):
    kind = "topic"


class ArticleSubmitted(Submitted):
    """`input_hash`: of the text that it is about and the prompts, as a scan saw it; None: whatever it is."""

    kind = "article"
    urn: str
    input_hash: str | None = None


class CatalogScanRequested(CausesWork):
    """A page of a scan of the catalogue is to be read. The page is the attempt, so that one that was passed is never
    read again, and a scan shows where it stands like everything that is worked on."""

    kind = "scan"
    scan: str
    after: str = ""  # the URN that the page before ended with
    seen: int = 0  # articles, on the pages before
    submitted: int = 0

    @property
    def progress(self) -> dict[str, int]:
        return {"pages": self.attempt - 1, "seen": self.seen, "submitted": self.submitted}


class ArticleForgotten(Removed, CausesWork):
    """The catalogue is to forget, too, that it was enriched: that is work. `submitted_at`: when somebody wanted it."""

    kind = "article"
    urn: str


class ArticleAnnotated(CausesWork):
    """The paid half is done, and stored before the catalogue is written: nothing of that pays again. `again`: somebody
    had begun the attempt before, and may have annotated it, too."""

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
    """What a worker reports of one run of a submission."""

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
    """`input_hash`: of an article, as it was enriched."""

    content: dict[str, Any] | None = None
    input_hash: str | None = None
    simulated: bool = False
    skipped: bool = False


class SubmissionFailed(Outcome):
    error: ErrorDetail
    dead_lettered: bool = False


class WaitingFor(_Model):
    """`message`: the reason in words, as far as the worker knows more than one word."""

    reason: str
    since: AwareDatetime
    until: AwareDatetime | None = None
    message: str = ""


class Problem(_Model):
    """Something that works, but that a person should mend."""

    code: str
    text: str


class WorkerBeat(Event):
    """One process saying that it lives, every 2 s."""

    service: str
    instance: str
    app_version: str
    started_at: AwareDatetime
    in_flight: int = 0
    processed: int = 0
    failed: int = 0
    waiting_for: WaitingFor | None = None
    simulated: bool | None = None  # None: not known yet
    problems: tuple[Problem, ...] = ()


class WorkerPaused(Event):
    """Somebody wants the workers of a service to pause, or to go on."""

    service: str
    paused: bool
    by: str
    at: AwareDatetime


class UsageTotals(Event):
    """What was paid on one day so far for one partition's submissions, simulated or not. It only grows."""

    day: str  # Gemini's, as 2026-11-24
    kind: Kind
    model: str
    partition: int
    requests: float
    tokens: int  # of prompts
    cost: float  # US dollars

    @property
    def key(self) -> str:
        """The same on every day: the last value is the newest day's."""
        model = self.model.encode("ascii", "backslashreplace").decode()
        return f"usage|{self.kind}|{model}|{self.partition}"


def subject(event: Event) -> str:
    """The key an event is routed by."""
    if isinstance(event, SubmissionEvent):
        return event.id
    if isinstance(event, WorkerBeat):
        return event.instance
    if isinstance(event, UsageTotals):
        return event.key
    if isinstance(event, WorkerPaused):
        return f"pause|{event.service}"
    raise TypeError(f"{type(event).__name__} has no key")


def event_id(event: Event, n: int = 0, *, at: datetime) -> str:
    """Derived, so that a repeated publish is recognised: the n-th event of its type in its run.

    What causes work is named by what was asked for, never by who sends it.
    """
    name = type(event).__name__
    parts: tuple[str | int, ...]
    if isinstance(event, ArticleAnnotated):
        parts = (event.id, event.attempt, name, event.run, event.requeued.n if event.requeued else 0)
    elif isinstance(event, CausesWork):
        parts = (event.id, event.attempt, name, event.requeued.n if event.requeued else 0)
    elif isinstance(event, Outcome):
        parts = (event.id, event.attempt, name, event.run, n)
    elif isinstance(event, SubmissionEvent):
        parts = (event.id, event.attempt, name, n)
    else:
        parts = (subject(event), name, at.isoformat())
    return derived_id("|".join(map(str, parts)))
