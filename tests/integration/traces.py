"""Waits for spans at the collector: each service exports its own in the background."""

from eventually import eventually
from integration.observed import Observed
from otlp_collector import Span

SERVER, CLIENT, CONSUMER = 2, 3, 5
HANDLING = "process topic-submissions"
PROJECTED = ("project TopicSubmitted", "project SubmissionStarted", "project SubmissionCompleted")


async def spans_of(observed: Observed, id_: str, *names: str) -> dict[str, Span]:
    """Of one submission, by name, once all are there."""

    def are_there() -> dict[str, Span] | None:
        found = {span.name: span for span in observed.collector.of_submission(id_)}
        return found if found.keys() >= set(names) else None

    return await eventually(are_there, within=10)


async def the_one(observed: Observed, kind: int, beside: Span) -> Span:
    """The only one of its kind in a trace."""
    [found] = await eventually(lambda: [s for s in observed.trace(beside) if s.kind == kind], within=10)
    return found
