"""The change feed on a database: what its listeners are told, however they come and go."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from contract.memory_broker.transport import MemoryTransport
from eventually import eventually
from factories import BEGAN, article_submitted, completed, record, removed, started, topic_submitted
from integration.event_history import history, in_batches
from integration.event_streams import Listener, ReadEvent, read_event
from integration.projected import Projected

from api.errors import TooManyStreams
from api.live import change_feed
from api.live.change_feed import ChangeFeed
from api.live.event_stream import MOST_WAITING, EventStream
from api.live.events import WorkersNow
from api.live.look import Look
from api.projection import changes
from api.projection.change_cursor import ChangeCursor
from api.projection.changes import Interest
from api.projection.repository import ProjectionQueries
from api.worker_registry import WorkerRegistry
from shared.db.engine import open_reader
from shared.events import SubmissionEvent
from shared.ids import article_id, topic_id
from shared.messaging.broker import Batch, Delivery, Positions
from shared.messaging.cloudevents import Record

EVERYTHING = Interest()
PARTITIONS = 3
NEWEST = "SELECT id, attempt, status FROM submissions"
Feeds = Callable[[], ChangeFeed]


@pytest.fixture
async def feeds(projected: Projected) -> AsyncIterator[Feeds]:
    """Starts feeds of one database, as API replicas do."""
    reader = open_reader(projected.url)
    tasks: list[asyncio.Task[None]] = []

    def start() -> ChangeFeed:
        feed = ChangeFeed(ProjectionQueries(reader, MemoryTransport()), WorkerRegistry(), lambda: False)
        tasks.append(asyncio.create_task(feed.run()))
        return feed

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await reader.close()


@pytest.fixture
async def feed(feeds: Feeds) -> ChangeFeed:
    return feeds()


async def _is_allowed() -> bool:
    return True


def _event(frame: bytes | None) -> ReadEvent:
    assert frame
    event = read_event(frame.decode())
    assert event
    return event


class OpenListening:
    """A stream of a feed; `look`: what it began with."""

    def __init__(self, stream: EventStream, look: Look) -> None:
        self.stream = stream
        self.look = look
        self._frames = stream.frames(_is_allowed)

    async def next(self, within: float = 5) -> ReadEvent:
        async with asyncio.timeout(within):
            return _event(await anext(self._frames))


@asynccontextmanager
async def listening(
    feed: ChangeFeed, interest: Interest = EVERYTHING, since: ChangeCursor | None = None
) -> AsyncIterator[OpenListening]:
    async with feed.listening(interest, since) as (stream, look):
        yield OpenListening(stream, look)


class Projecting:
    """Projects events one batch after another."""

    def __init__(self, projected: Projected) -> None:
        self._projected = projected
        self._count = 0

    async def __call__(self, *events: SubmissionEvent) -> None:
        records = [record(event, BEGAN) for event in events]
        await self._projected.project(in_batches(records, 1000, start=self._count))
        self._count += len(records)


@pytest.fixture
def project(projected: Projected) -> Projecting:
    return Projecting(projected)


def by_partition(records: Sequence[Record], size: int) -> list[Batch]:
    """Batches of several partitions each; a submission is always in the same one."""
    positions: dict[int, Positions] = {}
    batches = []
    for first in range(0, len(records), size):
        deliveries = [
            Delivery(one, hash_of(one.key), str(n)) for n, one in enumerate(records[first : first + size], first)
        ]
        for delivery in deliveries:
            before = positions.get(delivery.partition, {})
            positions[delivery.partition] = {**before, delivery.record.stream: str(int(delivery.position) + 1)}
        batches.append(Batch(deliveries, {d.partition: positions[d.partition] for d in deliveries}))
    return batches


def hash_of(key: str) -> int:
    return sum(key.encode()) % PARTITIONS


# -- whatever happens, the newest state arrives ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_listeners_that_are_cut_off_at_random_and_go_on_at_any_replica_miss_nothing_and_get_no_id_twice(
    projected: Projected, feeds: Feeds, seed: int
) -> None:
    chance = random.Random(seed)
    records = history(60, seed)
    ids = sorted({one.key for one in records})
    replicas = [feeds(), feeds()]
    done = asyncio.Event()

    async def project() -> None:
        projection = await projected.projection()
        for partition in range(1, PARTITIONS):
            await projection.load(partition)
        for batch in by_partition(records, 20):
            await projection.project(batch)
            await asyncio.sleep(chance.random() / 20)
        done.set()

    async def listen(interest: Interest) -> Listener:
        """Cut off again and again, until it has been idle after the last batch."""
        listener = Listener()
        is_up_to_date = False
        while not is_up_to_date:
            since = ChangeCursor.parse(listener.last_id) if listener.last_id else None
            async with listening(chance.choice(replicas), interest, since) as stream:
                was_done = done.is_set()
                if since is None:  # as after a snapshot: the list is read, which may be newer
                    listener.ids.append(str(stream.look.changes.cursor))
                    listener.known |= {
                        id_: newest for id_, newest in stored().items() if interest.among({id_: "topic"})
                    }
                elif frame := stream.look.frame(interest, since):
                    listener.take(_event(frame))
                with suppress(TimeoutError):
                    for _ in range(chance.randint(1, 4)):
                        listener.take(await stream.next(within=0.6))
                    continue
                is_up_to_date = was_done
        return listener

    def stored() -> dict[str, tuple[int, str]]:
        return {id_: (attempt, status) for id_, attempt, status in projected.rows(NEWEST)}

    interests = [EVERYTHING, Interest(kinds=frozenset({"topic"})), Interest(ids=frozenset(chance.sample(ids, 7)))]
    projecting = asyncio.create_task(project())
    listeners = await asyncio.gather(*(listen(interest) for interest in interests * 2))
    await projecting
    for interest, listener in zip(interests * 2, listeners, strict=True):
        assert not listener.must_reread
        expected = {id_: newest for id_, newest in stored().items() if interest.among({id_: "topic"})}
        assert listener.known == expected
        assert len(listener.ids) > 1


# -- what is told ---------------------------------------------------------------------------------------------------


async def test_an_event_has_what_changed_its_counts_and_the_next_starting_point(
    feed: ChangeFeed, project: Projecting
) -> None:
    await project(topic_submitted("Raft"))
    async with listening(feed) as stream:
        beginning = stream.look.changes.cursor
        await project(started("Raft"), topic_submitted("Paxos"))
        event = await stream.next()
    reported = {one["name"]: one for one in event.data["submissions"]}
    assert {name: (one["status"], one["attempt"], one["kind"]) for name, one in reported.items()} == {
        "Raft": ("processing", 1, "topic"),
        "Paxos": ("pending", 1, "topic"),
    }
    counts = event.data["counts"]["topics"]
    assert (counts["pending_count"], counts["processing_count"], counts["total_count"]) == (1, 1, 2)
    assert event.id != str(beginning)


async def test_what_only_adds_to_the_history_is_no_change(feed: ChangeFeed, project: Projecting) -> None:
    await project(topic_submitted("Raft"), completed("Raft"), topic_submitted("Paxos"))
    async with listening(feed) as stream:
        await project(completed("Raft", run="second run"), topic_submitted("Raft"), started("Raft"))
        await project(started("Paxos"))
        event = await stream.next()
    assert [one["name"] for one in event.data["submissions"]] == ["Paxos"]


async def test_a_removed_submission_is_told_without_its_name(feed: ChangeFeed, project: Projecting) -> None:
    await project(topic_submitted("Raft"))
    async with listening(feed) as stream:
        await project(removed("Raft"))
        [reported] = (await stream.next()).data["submissions"]
    assert (reported["id"], reported["name"], reported["status"]) == (topic_id("Raft"), None, "removed")


async def test_a_stream_for_some_ids_begins_with_their_state_and_hears_of_no_other(
    feed: ChangeFeed, project: Projecting
) -> None:
    interest = Interest(ids=frozenset({topic_id("Raft"), topic_id("Paxos"), topic_id("never submitted")}))
    await project(topic_submitted("Raft"), completed("Raft"), topic_submitted("Other"))
    async with listening(feed, interest) as stream:
        assert stream.look.changes.kinds.keys() == {topic_id("Raft")}
        await project(completed("Other"))
        await project(topic_submitted("Paxos"))
        [reported] = (await stream.next()).data["submissions"]
    assert reported["id"] == topic_id("Paxos")


async def test_a_stream_for_one_kind_hears_of_no_other(feed: ChangeFeed, project: Projecting) -> None:
    await project(topic_submitted("Raft"))
    async with (
        listening(feed, Interest(kinds=frozenset({"article"}))) as articles,
        listening(feed, Interest(kinds=frozenset({"topic"}), ids=frozenset({article_id("urn:x"), topic_id("Raft")}))),
    ):
        await project(started("Raft"))
        await project(article_submitted("urn:x"))
        [reported] = (await articles.next()).data["submissions"]
    assert (reported["kind"], reported["name"]) == ("article", "urn:x")


# -- where one event does not carry it ------------------------------------------------------------------------------


async def test_more_changes_than_one_event_carries_are_a_resync_for_those_who_listen_for_all_of_them(
    feed: ChangeFeed, project: Projecting
) -> None:
    titles = [f"Topic {n}" for n in range(201)]
    await project(topic_submitted("Raft"))
    async with (
        listening(feed) as everything,
        listening(feed, Interest(kinds=frozenset({"article"}))) as articles,
        listening(feed, Interest(ids=frozenset({topic_id(titles[0])}))) as one_of_them,
    ):
        since = everything.look.changes.cursor
        await project(*(topic_submitted(title) for title in titles), article_submitted("urn:x"))
        resync = await everything.next()
        assert (resync.name, resync.data["counts"]["topics"]["total_count"]) == ("resync", 202)
        assert [one["name"] for one in (await articles.next()).data["submissions"]] == ["urn:x"]
        assert [one["name"] for one in (await one_of_them.next()).data["submissions"]] == [titles[0]]
        await project(started("Raft"))
        assert [one["name"] for one in (await everything.next()).data["submissions"]] == ["Raft"]
    async with listening(feed, since=since) as later:
        assert _event(later.look.frame(EVERYTHING, since)).name == "resync"


async def test_more_changes_than_a_look_reads_are_a_resync_for_everybody(
    feed: ChangeFeed, project: Projecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "MOST_LOOKED_AT", 5)
    await project(topic_submitted("Raft"))
    interest = Interest(ids=frozenset({topic_id("Raft")}))
    async with listening(feed, interest) as stream:
        since = stream.look.changes.cursor
        await project(started("Raft"), *(topic_submitted(f"Topic {n}") for n in range(6)))
        assert (await stream.next()).name == "resync"
    async with listening(feed, interest, since) as later:  # by its ids there is no such limit
        [reported] = _event(later.look.frame(interest, since)).data["submissions"]
        assert reported["status"] == "processing"


async def test_a_cursor_of_tables_that_were_made_anew_is_a_resync(
    projected: Projected, feed: ChangeFeed, project: Projecting
) -> None:
    await project(topic_submitted("Raft"))
    async with listening(feed) as stream:
        since = stream.look.changes.cursor
        projected.execute(f"UPDATE generation SET id = '{'0' * 32}'")
        assert (await stream.next()).name == "resync"
        await project(started("Raft"))
        assert (await stream.next()).name == "changes"
    for interest in (EVERYTHING, Interest(ids=frozenset({topic_id("Raft")}))):
        async with listening(feed, interest, since) as later:
            assert _event(later.look.frame(interest, since)).name == "resync"


async def test_a_cursor_ahead_of_a_restored_database_is_a_resync(
    projected: Projected, feed: ChangeFeed, project: Projecting
) -> None:
    for title in ("Raft", "Paxos"):
        await project(topic_submitted(title))
    async with listening(feed) as stream:
        since = stream.look.changes.cursor
        projected.execute("UPDATE positions SET version = 1")
        assert (await stream.next()).name == "resync"
    async with listening(feed, since=since) as later:
        assert _event(later.look.frame(EVERYTHING, since)).name == "resync"


# -- streams --------------------------------------------------------------------------------------------------------


async def test_a_client_that_reads_too_slowly_is_dropped(feed: ChangeFeed, project: Projecting) -> None:
    await project(topic_submitted("Raft"))
    async with listening(feed) as slow:
        dropped = asyncio.Event()
        slow.stream.drop = dropped.set
        for _ in range(MOST_WAITING):
            slow.stream.send(b"event: x\n\n")
        assert not dropped.is_set()
        slow.stream.send(b"event: x\n\n")
        assert dropped.is_set()


async def test_there_is_a_limit_to_the_number_of_streams(feed: ChangeFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_feed, "MOST_STREAMS", 2)
    done = asyncio.Event()

    async def listen() -> None:
        async with listening(feed):
            await done.wait()

    arrivals = [asyncio.create_task(listen()) for _ in range(5)]  # at the same time, as after a restart
    await eventually(lambda: sum(arrival.done() for arrival in arrivals) == 3, within=5)
    done.set()
    ended = await asyncio.gather(*arrivals, return_exceptions=True)
    assert [type(end) for end in ended if end] == [TooManyStreams] * 3
    async with listening(feed):
        pass


async def test_nothing_is_read_while_nobody_listens(projected: Projected) -> None:
    reads = 0

    class Counting(ProjectionQueries):
        async def changes(self, *args: object) -> None:
            nonlocal reads
            reads += 1

    reader = open_reader(projected.url)
    feed = ChangeFeed(Counting(reader, MemoryTransport()), WorkerRegistry(), lambda: False)
    running = asyncio.create_task(feed.run())
    async with listening(feed):
        await eventually(lambda: reads > 1, within=5)
    before = reads
    await asyncio.sleep(3 * change_feed.LOOK_INTERVAL)
    assert reads <= before + 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await reader.close()


async def test_what_changes_while_a_stream_begins_is_told(projected: Projected, project: Projecting) -> None:
    """Another listener keeps the feed looking."""
    read, go_on = asyncio.Event(), asyncio.Event()

    class Slow(ProjectionQueries):
        async def beginning(self, since: ChangeCursor | None, interest: Interest) -> changes.Changes:
            beginning = await super().beginning(since, interest)
            if interest.ids:
                read.set()
                await go_on.wait()
            return beginning

    reader = open_reader(projected.url)
    feed = ChangeFeed(Slow(reader, MemoryTransport()), WorkerRegistry(), lambda: False)
    running = asyncio.create_task(feed.run())
    interest = Interest(ids=frozenset({topic_id("Raft")}))

    async def first_of_slow_one() -> ReadEvent:
        async with listening(feed, interest) as stream:
            return await stream.next()

    async with listening(feed):
        listens = asyncio.create_task(first_of_slow_one())
        await read.wait()
        await project(topic_submitted("Raft"))
        await asyncio.sleep(5 * change_feed.LOOK_INTERVAL)
        go_on.set()
        assert [one["name"] for one in (await listens).data["submissions"]] == ["Raft"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await reader.close()


async def test_a_stream_that_is_ahead_of_a_replica_gets_no_id_twice(projected: Projected, project: Projecting) -> None:
    """The replica's own look still has to read more than one event carries, which another replica has told already."""
    await project(topic_submitted("Raft"))
    reader = open_reader(projected.url)
    queries = ProjectionQueries(reader, MemoryTransport())
    before = (await queries.beginning(None, EVERYTHING)).cursor
    await project(*(topic_submitted(f"Topic {n}") for n in range(201)))
    found = await queries.changes(before, (), [EVERYTHING])
    assert found
    look = Look(found, WorkersNow.of(WorkerRegistry()))
    assert _event(look.frame(EVERYTHING, before)).name == "resync"
    assert look.frame(EVERYTHING, found.cursor) is None
    await reader.close()
