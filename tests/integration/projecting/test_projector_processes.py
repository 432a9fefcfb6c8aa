"""Status-projectors as processes: killed, stopped, refusing, waiting."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from eventually import eventually
from integration.broker_data_loss import lose_all_but_the_newest, lose_stream
from integration.databases import NOT_MIGRATED, counted, created_later, locked, rows, tables_of
from integration.projected import Projected
from integration.projecting.sample_history import HALF, HISTORY
from servers import Deployment, GeminiSimulator, Process, Stack
from servers.stack import VALKEY

from shared.messaging.broker import Transport
from shared.messaging.cloudevents import Record
from shared.streams import PROJECTED, PROJECTOR, SUBMISSION_OUTCOMES, TOPIC_SUBMISSIONS


@pytest.fixture
def projectors(tmp_path: Path, stack: Stack) -> Iterator[Deployment]:
    """A broker and a database; tests add the projectors."""
    deployed = Deployment(tmp_path, stack, GeminiSimulator(tmp_path))
    yield deployed
    deployed.end()


async def projected_by(deployment: Deployment, expected: Projected, within: float = 20) -> None:
    url = deployment.database_url
    await eventually(lambda: _tables_or_none(url) == expected.tables, within=within)
    assert [(status, n) for status, n, *_ in tables_of(url)["status_counts"]] == counted(url)


def _tables_or_none(url: str) -> object:
    """None until it is migrated."""
    with suppress(*NOT_MIGRATED):
        return tables_of(url)
    return None


def positions_of(deployment: Deployment) -> list[tuple[int, str]]:
    with suppress(*NOT_MIGRATED):
        return rows(deployment.database_url, "SELECT version, positions FROM positions")
    return []


async def caught_up(deployment: Deployment, transport: Transport) -> None:
    """Waits until everything in the streams by now is projected."""
    ends = await transport.end_positions([stream.name for stream in PROJECTED])

    async def are_reached() -> bool:
        with suppress(*NOT_MIGRATED):
            found = rows(deployment.database_url, "SELECT partition, positions FROM positions")
            stored = {partition: json.loads(of) if isinstance(of, str) else of for partition, of in found}
            return transport.has_reached(stored, ends)
        return False

    await eventually(are_reached, within=20)


async def ended(process: Process, within: float = 20) -> tuple[int, str]:
    """Its exit code and the last line of its output."""
    await eventually(lambda: not process.is_alive, within=within)
    assert process.running
    assert "Traceback" not in process.output
    return process.running.returncode, process.output.splitlines()[-1]


@pytest.mark.slow
async def test_two_processes_count_exactly_although_one_is_killed(
    projectors: Deployment, transport: Transport, expected: Projected
) -> None:
    both = [projectors.add(PROJECTOR, name) for name in ("projector-a", "projector-b")]
    await both_beat(transport)
    publishing = asyncio.create_task(_publish_one_by_one(transport, HISTORY))
    await eventually(lambda: sum(version for version, _ in positions_of(projectors)) > 5, within=20)
    if projectors.stack.name == VALKEY:  # one works; on Kafka both do
        await eventually(lambda: any("projector_standing_by" in process.output for process in both), within=20)
    leader = next(process for process in both if "projector_standing_by" not in process.output)
    leader.kill()
    await publishing
    await projected_by(projectors, expected)
    assert not any("Traceback" in process.output for process in both)


async def both_beat(transport: Transport) -> None:
    seen: set[str] = set()
    following = asyncio.create_task(transport.follow_heartbeats(lambda beat, _: seen.add(beat.instance)))
    await eventually(lambda: len(seen) == 2, within=20)
    following.cancel()
    await asyncio.wait([following])


async def _publish_one_by_one(transport: Transport, records: list[Record]) -> None:
    for record in records:
        await transport.publish([record])


@pytest.mark.slow
async def test_another_projector_soon_takes_over_from_a_stopped_one(
    projectors: Deployment, transport: Transport, expected: Projected
) -> None:
    """Sooner than Kafka's session timeout of 10 s, because a stopped projector leaves its group."""
    both = [projectors.add(PROJECTOR, TOPICFLOW_SESSION_TIMEOUT_SECONDS="10") for _ in range(2)]
    await both_beat(transport)
    await transport.publish(HISTORY[:HALF])
    await caught_up(projectors, transport)
    leader = next(process for process in both if "projector_standing_by" not in process.output)
    assert leader.stop() == 0
    await transport.publish(HISTORY[HALF:])
    await projected_by(projectors, expected, within=7)


async def test_a_restarted_projector_resumes_at_its_position(
    projectors: Deployment, transport: Transport, expected: Projected
) -> None:
    first = projectors.add(PROJECTOR, "a")
    await transport.publish(HISTORY[:HALF])
    await caught_up(projectors, transport)
    assert first.stop() == 0
    for stream in PROJECTED:  # it does not need stored events again
        await lose_all_but_the_newest(projectors.stack, stream)
    await transport.publish(HISTORY[HALF:])
    projectors.add(PROJECTOR, "a")
    await projected_by(projectors, expected)


async def test_a_newer_version_of_a_known_type_stops_it_with_one_line_and_exit_code_1(
    projectors: Deployment, transport: Transport
) -> None:
    headers = {**HISTORY[0].headers, "ce_type": "topicflow.TopicSubmitted.v2"}
    await transport.publish([replace(HISTORY[0], headers=headers)])
    code, line = await ended(projectors.add(PROJECTOR))
    assert code == 1
    assert line == (
        "status-projector: topic-submissions holds topicflow.TopicSubmitted.v2,"
        " this version of topicflow knows v1: finish the upgrade"
    )
    assert positions_of(projectors) == []


@pytest.mark.parametrize("how", ["recreated", "trimmed"])
async def test_a_stream_that_no_longer_has_the_next_events_is_refused_with_one_line(
    projectors: Deployment, transport: Transport, how: str
) -> None:
    first = projectors.add(PROJECTOR, "a")
    await transport.publish(HISTORY[:HALF])
    await caught_up(projectors, transport)
    assert first.stop() == 0
    if how == "recreated":
        await lose_stream(projectors.stack, SUBMISSION_OUTCOMES)
    await transport.publish(HISTORY[HALF:])
    if how == "trimmed":
        await lose_all_but_the_newest(projectors.stack, SUBMISSION_OUTCOMES)
    before = tables_of(projectors.database_url)
    code, line = await ended(projectors.add(PROJECTOR, "a"))
    assert code == 1
    assert line.startswith("status-projector: the stream submission-outcomes no longer has what comes after ")
    assert tables_of(projectors.database_url) == before


async def test_an_unreadable_record_is_listed_among_the_dead_letters_and_the_rest_is_stored(
    projectors: Deployment, transport: Transport, expected: Projected
) -> None:
    await transport.publish(
        [replace(HISTORY[0], headers={**HISTORY[0].headers, "ce_id": "other"}, data=b"{"), *HISTORY]
    )
    projectors.add(PROJECTOR)
    await projected_by(projectors, expected)
    letters = "SELECT stream, error, data FROM dead_letters"
    await eventually(lambda: rows(projectors.database_url, letters), within=10)
    assert rows(projectors.database_url, letters) == [(TOPIC_SUBMISSIONS.name, "invalid_event", b"{")]


async def test_the_projector_waits_for_a_locked_database_and_loses_nothing(
    projectors: Deployment, transport: Transport, expected: Projected
) -> None:
    projector = projectors.add(PROJECTOR)
    await transport.publish(HISTORY[:HALF])
    await eventually(lambda: positions_of(projectors), within=20)
    with locked(projectors.database_url):
        await transport.publish(HISTORY[HALF:])
        await eventually(lambda: '"event": "projection_waiting"' in projector.output, within=15)
        assert "the database does not answer" in projector.output
    await projected_by(projectors, expected)
    assert projector.is_alive


async def test_the_projector_waits_for_a_database_that_cannot_be_opened_yet(
    projectors: Deployment, transport: Transport, expected: Projected
) -> None:
    with created_later(projectors.database_url) as (url, create):
        projector = projectors.add(PROJECTOR, TOPICFLOW_DATABASE_URL=url)
        await transport.publish(HISTORY)
        await eventually(lambda: '"dependency": "database"' in projector.output, within=20)
        create()
        await eventually(lambda: _tables_or_none(url) == expected.tables, within=20)
        projector.end()
