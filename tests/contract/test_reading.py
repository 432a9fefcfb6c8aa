"""Guarantees of plain readers: from their positions, in order, again after a reload; and trimming."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from contract.brokers import GROUP, Broker
from contract.submissions import (
    OUTCOMES,
    SUBMISSIONS,
    end,
    many,
    names,
    read_all,
    reading_from,
    started,
    stored,
    submitted,
    take,
    titles,
)

from shared.events import SubmissionStarted, TopicSubmitted
from shared.messaging.broker import Delivery, LoadPositions, Positions, Reader
from shared.messaging.cloudevents import decode
from shared.messaging.dead_letter import dead_letter
from shared.messaging.kafka import fetch_order
from shared.streams import SUBMISSION_OUTCOMES, TOPIC_SUBMISSIONS

BY_PARTITION = dict[int, dict[str, str]]


def at(positions: Mapping[int, Positions]) -> LoadPositions:
    async def load(partition: int) -> Positions:
        return positions.get(partition, {})

    return load


async def read_until(
    reader: Reader, count: int, positions: BY_PARTITION | None = None, limit: int = 5
) -> list[Delivery]:
    """Reads this number of records, and updates the positions."""
    found: list[Delivery] = []
    while len(found) < count:
        batch = await reader.read(limit, 5.0)
        assert batch, f"{len(found)} of {count}"
        found += batch.deliveries
        if positions is not None:
            positions |= {partition: dict(of) for partition, of in batch.positions.items()}
    return found


async def test_a_reader_resumes_at_the_stored_positions(broker: Broker) -> None:
    positions: BY_PARTITION = {}
    await broker.transport.publish(many(30))
    first = await broker.reader([SUBMISSIONS, OUTCOMES], at(positions))
    before = await read_until(first, 12, positions)
    await first.close()
    second = await broker.reader([SUBMISSIONS, OUTCOMES], at(positions))
    after = await read_until(second, 30 - len(before), positions)
    assert titles(before + after) == names(30)
    await broker.transport.publish([submitted("one more")])
    assert titles(await read_until(second, 1, positions)) == ["one more"]
    assert await second.read(5, 0.05) is None
    await second.close()


async def test_an_empty_read_times_out(broker: Broker) -> None:
    reader = await broker.reader([SUBMISSIONS], reading_from({}))
    began = time.monotonic()
    assert await asyncio.wait_for(reader.read(5, 0.0), 5) is None
    assert await reader.read(5, 0.2) is None
    assert time.monotonic() - began < 3
    await reader.close()


async def test_a_reader_reads_again_from_the_stored_positions_after_a_reload(broker: Broker) -> None:
    await broker.transport.publish([submitted("Chat System", n) for n in range(1, 9)])
    reader = await broker.reader([SUBMISSIONS], reading_from({}))
    batch = await reader.read(8, 5.0)
    assert batch
    assert len(batch.deliveries) == 8
    for partition in batch.positions:
        await reader.reload(partition)
    again = await reader.read(8, 5.0)
    assert again
    assert [d.position for d in again.deliveries] == [d.position for d in batch.deliveries]
    assert dict(again.positions) == dict(batch.positions)
    await reader.close()


async def test_two_readers_together_read_everything(broker: Broker) -> None:
    readers = [await broker.reader([SUBMISSIONS], reading_from({})) for _ in range(2)]
    await broker.transport.publish(many(40))
    found: set[str] = set()
    while len(found) < 40:
        batches = [await reader.read(100, 0.2) for reader in readers]
        assert any(batches)
        found.update(title for batch in batches if batch for title in titles(batch.deliveries))
    for reader in readers:
        await reader.close()


async def test_readers_that_share_partitions_read_all_streams_of_a_partition_and_its_dead_letters(
    broker: Broker,
) -> None:
    streams = [SUBMISSIONS, OUTCOMES, TOPIC_SUBMISSIONS.dead_letters]
    readers = [await broker.reader(streams, reading_from({})) for _ in range(2)]
    by_reader: list[set[int]] = []
    for turn in range(1, 5):
        by_reader = await _read_by_each(broker, readers, turn)
        if turn > 1 and all(by_reader):  # the partitions are assigned by now
            break
    if readers[0].owns_partitions:
        assert all(by_reader)
        assert not by_reader[0] & by_reader[1]
    for reader in readers:
        await reader.close()


async def _read_by_each(broker: Broker, readers: Sequence[Reader], turn: int) -> list[set[int]]:
    """Publishes records of all streams; returns the partitions that each reader read, once all are read."""
    names = [f"{turn}, {n}" for n in range(20)]
    records = [submitted(name) for name in names] + [started(name) for name in names]
    letters = [
        dead_letter(Delivery(submitted(name), 0, "1", 0), code="bug", message="", tries=0, source="w") for name in names
    ]
    await broker.transport.publish(records + letters)
    missing = {record.event_id for record in records} | {letter.headers["dl_id"] for letter in letters}
    by_reader: list[set[int]] = [set() for _ in readers]
    while missing:
        batches = [await reader.read(100, 0.2) for reader in readers]
        assert any(batches)
        for partitions, batch in zip(by_reader, batches, strict=True):
            for delivery in batch.deliveries if batch else ():
                headers = delivery.record.headers
                if (name := headers.get("dl_id", headers["ce_id"])) in missing:
                    missing.remove(name)
                    partitions.add(delivery.partition)
    return by_reader


async def test_a_batch_is_bounded_per_stream_and_in_stream_order(broker: Broker) -> None:
    await broker.transport.publish([submitted("Chat System", n) for n in range(1, 8)])
    reader = await broker.reader([SUBMISSIONS, OUTCOMES], reading_from({}))
    sizes: list[int] = []
    while sum(sizes) < 7:
        batch = await reader.read(3, 5.0)
        assert batch
        sizes.append(len(batch.deliveries))
    assert sizes == [3, 3, 1]
    await reader.close()


async def test_a_reader_far_behind_reads_everything_once_and_each_key_in_order(broker: Broker) -> None:
    await broker.transport.publish([submitted(f"title {n}", attempt) for attempt in range(1, 9) for n in range(20)])
    reader = await broker.reader([SUBMISSIONS, OUTCOMES], reading_from({}))
    found = await read_until(reader, 8 * 20)
    assert await reader.read(5, 0.1) is None
    for key in {delivery.record.key for delivery in found}:
        events = [decode(delivery.record).event for delivery in found if delivery.record.key == key]
        assert [event.attempt for event in events if isinstance(event, TopicSubmitted)] == list(range(1, 9))
    await reader.close()


@pytest.mark.parametrize("broker", ["kafka"], indirect=True)
async def test_a_reader_far_behind_reads_outcomes_together_with_their_submissions(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the outcome stream has twice as many events."""
    monkeypatch.setattr(fetch_order, "CHUNK", 5)
    all_titles, attempts = [f"title {n}" for n in range(60)], 15
    for attempt in range(1, attempts + 1):
        await broker.transport.publish([submitted(title, attempt) for title in all_titles])
        await broker.transport.publish([started(title, attempt) for title in all_titles for _ in range(2)])
    reader = await broker.reader([SUBMISSIONS, OUTCOMES], reading_from({}))
    read_up_to: dict[tuple[int, str], int] = {}
    for delivery in await read_until(reader, 3 * len(all_titles) * attempts, limit=20):
        event = decode(delivery.record).event
        assert isinstance(event, TopicSubmitted | SubmissionStarted)
        read_up_to[delivery.partition, delivery.record.stream] = event.attempt
        of_both = [read_up_to.get((delivery.partition, stream), 1) for stream in (SUBMISSIONS, OUTCOMES)]
        assert abs(of_both[0] - of_both[1]) <= 2
    await reader.close()


async def test_the_ends_are_the_positions_of_a_reader_that_has_read_everything(broker: Broker) -> None:
    await broker.transport.publish(many(30))
    ends = await broker.transport.end_positions([SUBMISSIONS])
    arrived: BY_PARTITION = {}
    reader = await broker.reader([SUBMISSIONS], reading_from({}))
    await read_until(reader, 30, arrived)
    await reader.close()
    assert arrived.keys() == {p for p, of in ends.items() if of[SUBMISSIONS]}
    assert broker.transport.has_reached(arrived, ends)
    assert broker.transport.has_reached(ends, arrived)


async def test_the_ends_are_reached_once_everything_before_them_is_read(broker: Broker) -> None:
    has_reached = broker.transport.has_reached
    assert has_reached({}, await broker.transport.end_positions([SUBMISSIONS, OUTCOMES]))
    before = [submitted("Chat System", n) for n in range(1, 31)]
    await broker.transport.publish(before)
    ends = await broker.transport.end_positions([SUBMISSIONS, OUTCOMES])
    after = [*many(30), *(submitted("Chat System", n) for n in range(31, 46))]
    await broker.transport.publish(after)
    later_ends = await broker.transport.end_positions([SUBMISSIONS, OUTCOMES])
    reader = await broker.reader([SUBMISSIONS, OUTCOMES], reading_from({}))
    positions: BY_PARTITION = {}
    found: list[Delivery] = []
    while sum(delivery.record.key == before[0].key for delivery in found) < 30:
        assert not has_reached(positions, ends)
        found += await read_until(reader, 1, positions)
    assert has_reached(positions, ends)
    assert not has_reached(positions, later_ends)
    await read_until(reader, len(before) + len(after) - len(found), positions)
    assert has_reached(positions, later_ends)
    await reader.close()


async def test_the_oldest_after_the_positions_is_the_first_unread_event(broker: Broker) -> None:
    everything_read = await broker.transport.end_positions([SUBMISSIONS, OUTCOMES])
    assert await broker.transport.oldest_after(everything_read) is None
    before = datetime.now(UTC) - timedelta(seconds=0.01)
    await broker.transport.publish([submitted("first")])
    oldest = await broker.transport.oldest_after(everything_read)
    assert oldest
    assert before <= oldest <= datetime.now(UTC)
    await broker.transport.publish([submitted("second")])
    assert await broker.transport.oldest_after(everything_read) == oldest
    assert await broker.transport.oldest_after(await broker.transport.end_positions([SUBMISSIONS, OUTCOMES])) is None


async def test_a_partition_without_a_position_counts_from_its_beginning(broker: Broker) -> None:
    beginning = await broker.transport.end_positions([SUBMISSIONS])
    of_one = {0: beginning[0]}
    assert await broker.transport.oldest_after(of_one) is None
    await broker.transport.publish(many(30))  # in every partition
    at_the_end_of_the_first = {0: (await broker.transport.end_positions([SUBMISSIONS]))[0]}
    assert await broker.transport.oldest_after(at_the_end_of_the_first) or len(beginning) == 1
    assert await broker.transport.oldest_after(await broker.transport.end_positions([SUBMISSIONS])) is None


async def test_trimming_never_removes_events_that_a_group_or_the_projection_still_needs(broker: Broker) -> None:
    """With a `keep` of zero and no bytes: only what is needed is left."""
    await broker.transport.publish(many(300))
    ends = await broker.transport.end_positions([SUBMISSIONS])
    member = await broker.member()
    taken = await take(member, 200)
    in_flight = taken[150:160]
    await end(member, [d for d in taken if d not in in_flight])

    nothing: dict[int, dict[str, str]] = {p: {} for p in ends}
    assert await broker.transport.trim(TOPIC_SUBMISSIONS, nothing, timedelta(0), 0) == 0
    await broker.transport.trim(TOPIC_SUBMISSIONS, ends, timedelta(0), 0)
    await broker.transport.trim(SUBMISSION_OUTCOMES, ends, timedelta(0), 0)

    await broker.kill(member)
    another = await broker.member("b")
    left = set(titles(await take(another, 110)))
    assert left == set(names(300)) - set(titles(taken)) | set(titles(in_flight))
    from_the_end = await read_all(broker.transport, SUBMISSIONS, at(ends))
    assert from_the_end == []
    await broker.transport.publish([submitted("one more")])
    assert titles(await read_all(broker.transport, SUBMISSIONS, at(ends))) == ["one more"]
    assert len(await stored(broker.transport, OUTCOMES)) == 0
    assert (await broker.transport.lag(GROUP)).backlog == 111
