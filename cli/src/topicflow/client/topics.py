"""The calls about topics."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Unpack

from shared.ids import topic_id
from topicflow.client.api import answer_of
from topicflow.client.filters import TopicFilters
from topicflow.client.follow import PATIENCE, FollowCalls
from topicflow.client.models import SubmittedTopic, Topic, TopicsSubmitted
from topicflow.client.reading import model_of, read_pages
from topicflow.client.submitting import TOPICS, merged, submit

_ID = re.compile(r"[0-9]+|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class TopicCalls(FollowCalls):
    async def submit_topics(
        self, titles: Sequence[str], *, force: bool = False, batch_size: int | None = None
    ) -> TopicsSubmitted:
        """Any number of titles, in requests of 500. Waits up to ten minutes at a time while the API has no room.

        `force`: also those that are completed or under way; `batch_size`: titles per call of Gemini, 1 to 5.
        """
        answers = await submit(self, TOPICS, titles, {"force": force, "batch_size": batch_size})
        return model_of(TopicsSubmitted, merged([answer_of(answer) for answer in answers], "topics"))

    async def topic(self, id_or_title: str) -> Topic:
        return model_of(Topic, await self.get(topic_path(id_or_title)))

    async def topics(self, *, limit: int | None = None, **filters: Unpack[TopicFilters]) -> AsyncGenerator[Topic, None]:
        """All that match, newest first unless sorted otherwise; read page by page."""
        async with aclosing(read_pages(self, "topics", filters, limit)) as rows:
            async for row in rows:
                yield model_of(Topic, row)

    async def retry_topic(self, id_or_title: str, *, force: bool = False) -> SubmittedTopic:
        """Queues a failed topic again, with `force` any. Raises Failed if it has not failed."""
        return model_of(SubmittedTopic, await self.post(topic_path(id_or_title) + "/retry", {"force": force}))

    async def retry_failed_topics(self, *, error_contains: str | None = None, older_than_hours: float = 0) -> int:
        """Queues all failed topics that match again; returns how many. May take minutes."""
        body = {"older_than_hours": older_than_hours, "error_contains": error_contains}
        return int(answer_of(await self.post_at_length("/topics/retry-failed", body))["count"])

    async def delete_topic(self, id_or_title: str) -> None:
        await self.delete(topic_path(id_or_title))

    async def wait_for_topics(
        self, topics: Iterable[SubmittedTopic], *, timeout: float | None = None, patience: float = PATIENCE
    ) -> list[Topic]:
        """The final state of each, with its card, in the given order. An end of an earlier attempt is none.

        Raises TimeoutError after `timeout` seconds, Unreachable after `patience` seconds without an answer.
        """
        waited_for = list(topics)
        async with asyncio.timeout(timeout):
            rows = await self._ends(waited_for, patience)
        return [model_of(Topic, row) for row in rows]


def topic_path(id_or_title: str) -> str:
    """`/topics/{id}`. A title works as well, because a topic's id is derived from it."""
    return f"/topics/{id_or_title if _ID.fullmatch(id_or_title) else topic_id(id_or_title)}"
