"""Handles a submitted title: generates and publishes its study card.

Consumes: TopicSubmitted
Publishes: SubmissionStarted, SubmissionParked, SubmissionCompleted, SubmissionFailed
Writes: nothing
Fails: Refused, if Gemini blocks the title; Transient, if its answer is unusable; Outage, if Gemini is unavailable
"""

from datetime import UTC, datetime

from shared.events import SubmissionCompleted, TopicSubmitted
from shared.worker.run import Run
from topic_worker.generate_topics import TopicGenerator


class OnTopicSubmitted:
    def __init__(self, generator: TopicGenerator) -> None:
        self._generator = generator

    async def __call__(self, event: TopicSubmitted, run: Run) -> SubmissionCompleted:
        made = await self._generator.generate(event.id, event.title, most=event.batch_size, paid=run.record_usage)
        card = made.topic.card(created=event.submitted_at, generated=datetime.now(UTC), source=made.model)
        return run.completed(card, simulated=made.simulated)
