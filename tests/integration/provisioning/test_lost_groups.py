"""`topicflow provision` recovers a group that lost its positions, and nothing is lost or paid twice."""

import asyncio
from collections.abc import Sequence
from itertools import count

import pytest
from contract.brokers import GROUP
from contract.submissions import SUBMISSIONS
from eventually import eventually
from integration.installation import Installation, ended
from servers.stack import KAFKA, ON_VALKEY

from api.admin.recover_group import recover
from shared.db.engine import open_reader
from shared.messaging.broker import Transport
from shared.messaging.cloudevents import Record
from shared.messaging.provisioning import Lost

DONE, LEFT, LATER = ([f"{what} {n}" for n in range(20)] for what in ("done", "left", "later"))


@pytest.fixture
async def lost(installation: Installation) -> Installation:
    """Some are completed and paid for, some not, the worker is dead, and its group has lost its positions."""
    assert installation.provision().code == 0
    projector = installation.project()
    worker = installation.add("topic-worker", "topic-worker-1")
    await installation.submit(*DONE)
    await eventually(lambda: completed(installation, DONE), within=30)
    installation.gemini.take(600)
    await installation.submit(*LEFT)
    await eventually(lambda: "processing" in installation.statuses().values(), within=20)
    worker.kill()
    installation.gemini.take(0)
    await eventually(lambda: len(installation.statuses()) == len(DONE + LEFT), within=20)
    projector.kill()
    await installation.lose_positions()
    return installation


def completed(installation: Installation, titles: Sequence[str]) -> bool:
    statuses = installation.statuses()
    return all(statuses.get(title) == "completed" for title in titles)


def work(installation: Installation) -> None:
    """Two workers on Redis, which would both get work that is in the stream twice. One on Kafka: a second one would
    take over work in flight when it joins."""
    for n in range(1 if installation.stack.name == KAFKA else 2):
        installation.add("topic-worker", f"new-topic-worker-{n}")


async def test_unfinished_work_completes_and_finished_work_is_not_paid_again(lost: Installation) -> None:
    dry = lost.provision("--dry-run")
    assert (dry.code, len(dry.to_do)) == (0, 1)
    assert GROUP in dry.to_do[0]
    lost.project()
    ran = lost.provision()
    assert (ran.code, ran.done) == (0, dry.to_do)
    assert f"Requeueing {len(LEFT)} unfinished submissions" in ran.err
    assert lost.provision().out == "nothing to do\n"
    work(lost)
    await lost.submit(*LATER)
    await eventually(lambda: completed(lost, DONE + LEFT + LATER), within=60)
    assert lost.paid == dict.fromkeys(DONE + LEFT + LATER, 1)


@pytest.mark.slow
async def test_submissions_made_while_the_group_is_lost_complete_once(lost: Installation) -> None:
    """A projector and an API start although the group is lost; a worker does not."""
    api, projector = lost.add("api"), lost.project()
    worker = lost.add("topic-worker", "topic-worker-2")
    await eventually(lambda: not worker.is_alive, within=20)
    assert f"topic-worker: positions lost: {GROUP} in {SUBMISSIONS}" in worker.output
    await lost.submit(*LATER[:10])
    running = lost.begin()
    later = count()
    while running.poll() is None:
        await lost.submit(f"later, {next(later)}")
        await asyncio.sleep(0.01)
    assert ended(running).code == 0
    assert api.is_alive
    assert projector.is_alive
    work(lost)
    submitted = [title for title in lost.statuses() if title.startswith("later")]
    await eventually(lambda: completed(lost, DONE + LEFT + submitted), within=60)
    assert set(lost.paid.values()) == {1}


@pytest.mark.slow
async def test_recovery_waits_for_the_projection_up_to_the_limit(lost: Installation) -> None:
    await lost.submit(*LATER)
    refused = lost.provision("--wait-seconds", "1")
    assert (refused.code, refused.done) == (1, [])
    assert refused.err.splitlines()[-1] == (
        "topicflow: the projection did not reach the end within 1 s: a status-projector must be running"
    )
    waiting = lost.begin()
    lost.project()
    assert ended(waiting).code == 0


@pytest.mark.slow
async def test_a_recovery_killed_halfway_can_be_repeated(lost: Installation, transport: Transport) -> None:
    lost.project()

    class Killed(BaseException): ...

    async def killed(*_: object) -> None:
        raise Killed

    database = open_reader(lost.database_url)
    place = transport.set_positions
    transport.set_positions = killed  # type: ignore[method-assign, assignment]
    with pytest.raises(Killed):
        await recover(Lost(GROUP, SUBMISSIONS), transport, database, print, 30)
    transport.set_positions = place  # type: ignore[method-assign]
    await database.close()
    assert lost.provision().code == 0
    work(lost)
    await eventually(lambda: completed(lost, DONE + LEFT), within=60)
    assert lost.paid == dict.fromkeys(DONE + LEFT, 1)


@pytest.mark.slow
@ON_VALKEY
async def test_recovery_is_refused_while_a_worker_still_has_calls_in_flight(installation: Installation) -> None:
    assert installation.provision().code == 0
    installation.project()
    worker = installation.add("topic-worker", "topic-worker-1")
    installation.gemini.take(15)
    await installation.submit(*LEFT)
    await eventually(lambda: "processing" in installation.statuses().values(), within=20)
    await installation.lose_positions()
    refused = installation.provision()
    assert (refused.code, refused.done) == (1, [])
    assert "topic-worker-1 is still running" in refused.err.splitlines()[-1]
    await eventually(lambda: not worker.is_alive, within=40)  # it stores what it has paid for, and stops
    assert installation.provision().code == 0
    installation.gemini.take(0)
    installation.add("topic-worker", "topic-worker-2")
    await eventually(lambda: completed(installation, LEFT), within=60)
    assert installation.paid == dict.fromkeys(LEFT, 1)


async def test_requeued_work_is_the_same_attempt(lost: Installation, transport: Transport) -> None:
    lost.project()
    published: list[Record] = []
    publish = transport.publish

    async def recorded(records: Sequence[Record]) -> None:
        published.extend(record for record in records if record.stream == SUBMISSIONS)
        await publish(records)

    transport.publish = recorded  # type: ignore[method-assign]
    database = open_reader(lost.database_url)
    await recover(Lost(GROUP, SUBMISSIONS), transport, database, print, 30)
    await database.close()
    assert len(published) == len(LEFT)
    for record in published:
        assert b'"attempt":1' in record.data
        assert b'"requeued":{"n":1,"tries":0,"starts":0' in record.data
