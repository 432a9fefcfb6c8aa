"""Sends what the old system's file knows of topics to the API, as much as a request takes at a time."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from shared.ids import topic_id
from shared.text.titles import checked_title
from topicflow.client.api import ApiClient, answer_of
from topicflow.migration.old_system import OldSystem, OldTopic
from topicflow.migration.totals import MigrationResult
from topicflow.views.sending import Sending

PER_REQUEST = 500  # topics
FULL = 1_000_000  # bytes; with the largest card on top a request is still below the API's 2 MiB
LARGEST = 1_000_000  # bytes of a topic with its card
Entry = dict[str, Any]


class CannotBring(ValueError):
    """This topic cannot be brought over; the message says why."""


async def move_in(api: ApiClient, old: OldSystem, moved: MigrationResult, sending: Sending) -> None:
    """`sending` counts the topics in the file that are dealt with. Raises what the API client raises; what was sent
    before stays."""
    for batch, read in _batches(old.topics(), moved):
        if batch:
            body = {"topics": batch, "dry_run": moved.is_dry_run}
            moved.add(answer_of(await api.post_patiently("/topics/import", body, sending.pause)))
        sending.advance_to(read)


def _batches(topics: Iterable[OldTopic], moved: MigrationResult) -> Iterator[tuple[list[Entry], int]]:
    """With each the number of topics that are read by then."""
    batch: list[Entry] = []
    size = read = 0
    seen: set[str] = set()
    for read, topic in enumerate(topics, start=1):
        if entry := _entry_to_send(topic, seen, moved):
            batch.append(entry[0])
            size += entry[1]
        if len(batch) == PER_REQUEST or size >= FULL:
            yield batch, read
            batch, size = [], 0
    yield batch, read


def _entry_to_send(topic: OldTopic, seen: set[str], moved: MigrationResult) -> tuple[Entry, int] | None:
    """None where there is nothing to send, and `moved` knows why."""
    try:
        entry = _entry(topic)
    except CannotBring as error:
        moved.left_out.append((topic.title, str(error)))
        return None
    same = topic_id(topic.title)
    is_another = same not in seen
    seen.add(same)
    if not is_another:
        moved.skip("the same topic as one before it")
    elif topic.status == "completed" and topic.content is None:
        moved.skip("completed, but its card is not in the file")
    else:
        return entry
    return None


def _entry(topic: OldTopic) -> tuple[Entry, int]:
    """As the route takes it, and its bytes. Raises CannotBring."""
    try:
        title = checked_title(topic.title)
    except ValueError as error:
        raise CannotBring(str(error)) from error
    entry = {
        "title": title,
        "legacy_id": topic.legacy_id,
        "status": topic.status if topic.status in {"completed", "failed"} else "pending",
        "content": topic.content,
        "created_at": topic.created_at,
        "completed_at": topic.completed_at,
    }
    size = len(json.dumps(entry, ensure_ascii=False).encode())
    if size > LARGEST:
        raise CannotBring(f"its card has more than {LARGEST:,} bytes")
    return entry, size
