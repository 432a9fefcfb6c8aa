"""Follows submitted topics to their end and shows their progress. Used by `submit --wait` and `up --submit`."""

import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from local_processes.plain_text import one_line
from topicflow.actions.system_state import waiting_reason
from topicflow.client import AsyncClient, KindCounts, SubmissionState, SubmittedTopic
from topicflow.views.progress import ProgressLine


class FollowedTopics:
    def __init__(self, api: AsyncClient, topics: Sequence[SubmittedTopic]) -> None:
        self.failures: list[SubmissionState] = []  # so far
        self._api = api
        self._topics = topics
        self._ended = Counter[str]()
        self._ended_before = sum(topic.status in {"completed", "failed"} for topic in topics)
        self._submitted_at = time.monotonic()

    async def progress(self, patience: float) -> AsyncGenerator[ProgressLine, None]:
        """Whenever something changed, until all have ended. Raises Unreachable after `patience` seconds without an
        answer."""
        async with aclosing(self._api.follow(self._topics, patience=patience)) as changes:
            async for now in changes:
                self._ended.update(state.status for state in now.ended)
                self.failures += [state for state in now.ended if state.status == "failed"]
                yield self._line(_waiting(now.counts) if now.is_answered else "the API does not answer")

    def failure_lines(self, limit: int) -> list[str]:
        return [
            f"failed: {one_line(topic.name)}: {one_line(topic.error_message or 'unknown')}"
            for topic in self.failures[:limit]
        ]

    def _line(self, waiting: str | None) -> ProgressLine:
        total = len(self._topics)
        return ProgressLine(
            total=total,
            completed=self._ended["completed"],
            failed=self._ended["failed"],
            removed=self._ended["removed"],
            finished_here=max(0, self._ended.total() - self._ended_before),
            seconds=time.monotonic() - self._submitted_at,
            waiting=waiting if self._ended.total() < total else None,
        )


def _waiting(counts: KindCounts | None) -> str | None:
    if counts is None:
        return None
    waiting_for = counts.waiting_for.model_dump(mode="json") if counts.waiting_for else None
    return waiting_reason(waiting_for, is_waiting=counts.open_count > 0, is_running=counts.live_workers > 0)
