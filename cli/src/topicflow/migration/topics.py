"""Imports the topics of the old system's file through the API, in batches."""

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
BATCH_BYTES = 1_000_000  # with one more card of the maximum size, a request is still below the API's 2 MiB
MAX_TOPIC_BYTES = 1_000_000  # of a topic with its card
Entry = dict[str, Any]


class NotImportable(ValueError):
    """This topic cannot be imported; the message says why."""


async def import_topics(api: ApiClient, old: OldSystem, result: MigrationResult, sending: Sending) -> None:
    """`sending` counts the processed topics of the file. Raises the errors of the API client; earlier batches stay
    imported."""
    for batch, read in _batches(old.topics(), result):
        if batch:
            body = {"topics": batch, "dry_run": result.is_dry_run}
            result.add(answer_of(await api.post_patiently("/topics/import", body, sending.pause)))
        sending.advance_to(read)


def _batches(topics: Iterable[OldTopic], result: MigrationResult) -> Iterator[tuple[list[Entry], int]]:
    """Batches, each with the number of topics read so far."""
    batch: list[Entry] = []
    size = read = 0
    seen: set[str] = set()
    for read, topic in enumerate(topics, start=1):
        if entry := _entry_to_send(topic, seen, result):
            batch.append(entry[0])
            size += entry[1]
        if len(batch) == PER_REQUEST or size >= BATCH_BYTES:
            yield batch, read
            batch, size = [], 0
    yield batch, read


def _entry_to_send(topic: OldTopic, seen: set[str], result: MigrationResult) -> tuple[Entry, int] | None:
    """The entry and its size in bytes; None if there is nothing to send, which `result` records with the reason."""
    try:
        entry = _entry(topic)
    except NotImportable as error:
        result.left_out.append((topic.title, str(error)))
        return None
    id_ = topic_id(topic.title)
    is_duplicate = id_ in seen
    seen.add(id_)
    if is_duplicate:
        result.skip("the same topic as one before it")
    elif topic.status == "completed" and topic.content is None:
        result.skip("completed, but its card is not in the file")
    else:
        return entry
    return None


def _entry(topic: OldTopic) -> tuple[Entry, int]:
    """An entry of the request body, and its size in bytes. Raises NotImportable."""
    try:
        title = checked_title(topic.title)
    except ValueError as error:
        raise NotImportable(str(error)) from error
    entry = {
        "title": title,
        "legacy_id": topic.legacy_id,
        "status": topic.status if topic.status in {"completed", "failed"} else "pending",
        "content": topic.content,
        "created_at": topic.created_at,
        "completed_at": topic.completed_at,
    }
    size = len(json.dumps(entry, ensure_ascii=False).encode())
    if size > MAX_TOPIC_BYTES:
        raise NotImportable(f"its card has more than {MAX_TOPIC_BYTES:,} bytes")
    return entry, size
