"""`topicflow provision` on real brokers and databases: creates, checks, reports its steps, and can be repeated."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from eventually import eventually
from integration.databases import execute, rows
from integration.installation import Installation, Ran, ended
from servers import free_port
from servers.stack import KAFKA, ON_KAFKA, ON_VALKEY, VALKEY

from shared.messaging.broker import Transport
from shared.messaging.kafka.admin.alter_configs import SetConfigs
from shared.messaging.kafka.admin.topic_configs import laid_out
from shared.streams import ARTICLE_SUBMISSIONS, PROJECTED, STREAMS, SUBMISSION_OUTCOMES, TOPIC_SUBMISSIONS

GROUPS = sum(len(stream.groups) for stream in STREAMS)
DONE_AT_FIRST = {VALKEY: 2 + GROUPS, KAFKA: 2 + len(laid_out()) + GROUPS}  # two schemas, then streams and groups


@pytest.fixture
async def admin(installation: Installation) -> AsyncIterator[AIOKafkaAdminClient]:
    servers = installation.stack.broker_url.removeprefix("kafka://")
    client = AIOKafkaAdminClient(bootstrap_servers=servers)
    await client.start()
    yield client
    await client.close()


def nothing_to_do(ran: Ran) -> bool:
    return (ran.code, ran.out, ran.err) == (0, "nothing to do\n", "")


async def test_the_first_run_makes_everything_and_the_second_has_nothing_to_do(
    installation: Installation, transport: Transport
) -> None:
    first = installation.provision()
    assert (first.code, first.err) == (0, "")
    assert len(first.done) == DONE_AT_FIRST[installation.stack.name]
    assert any("topic-worker" in line for line in first.done)
    assert rows(installation.database_url, "SELECT version_num FROM projection_version")
    assert nothing_to_do(installation.provision())
    assert await transport.provision() == []


def test_a_dry_run_reports_the_same_steps_and_changes_nothing(installation: Installation, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    dry = installation.provision("--dry-run")
    assert (dry.code, dry.done) == (0, [])
    assert sorted(tmp_path.iterdir()) == before
    assert installation.provision("--dry-run").to_do == dry.to_do
    assert installation.provision().done == dry.to_do
    assert nothing_to_do(installation.provision("--dry-run"))


def test_json_reports_what_was_done_and_what_is_left(installation: Installation) -> None:
    dry = json.loads(installation.provision("--json", "--dry-run").out)
    assert dry == {"done": [], "to_do": dry["to_do"], "notes": []}
    assert json.loads(installation.provision("--json").out) == {"done": dry["to_do"], "to_do": [], "notes": []}


@pytest.mark.slow
async def test_concurrent_runs_beside_starting_services_create_everything_once(
    installation: Installation, transport: Transport
) -> None:
    running = [installation.begin() for _ in range(3)]
    services = [installation.add("api"), installation.project()]
    all_ran = await asyncio.gather(*(asyncio.to_thread(ended, process) for process in running))
    assert [ran.code for ran in all_ran] == [0, 0, 0], all_ran
    done = [line for ran in all_ran for line in ran.done]
    assert len(done) == len(set(done))
    assert all(service.is_alive for service in services)
    assert nothing_to_do(installation.provision())
    assert await transport.provision() == []


def test_the_tables_of_a_newer_topicflow_are_refused(installation: Installation) -> None:
    assert installation.provision().code == 0
    execute(installation.database_url, "UPDATE projection_version SET version_num = '9999'")
    for arguments in ((), ("--dry-run",)):
        refused = installation.provision(*arguments)
        assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
        assert refused.err.endswith("finish the upgrade, or start with an empty database\n")


def test_a_server_that_does_not_answer_is_reported_in_one_line(installation: Installation) -> None:
    away = installation.provision(TOPICFLOW_BROKER_URL=f"kafka://127.0.0.1:{free_port()}")
    assert (away.code, away.out, away.err.count("\n")) == (3, "", 1)
    assert "TOPICFLOW_BROKER_URL" in away.err
    away = installation.provision(TOPICFLOW_DATABASE_URL=f"postgresql://u:secret@127.0.0.1:{free_port()}/x")
    assert (away.code, away.out, away.err.count("\n"), "secret" in away.err) == (3, "", 1, False)
    assert "TOPICFLOW_DATABASE_URL" in away.err


@pytest.mark.parametrize("arguments", [["--partitions", "0"], ["--wait-seconds", "-1"], ["streams"]], ids=" ".join)
def test_wrong_use_has_exit_code_2(installation: Installation, arguments: list[str]) -> None:
    wrong = installation.provision(*arguments)
    assert (wrong.code, wrong.out) == (2, "")


@ON_VALKEY
def test_redis_has_no_partitions_to_add(installation: Installation) -> None:
    refused = installation.provision("--partitions", "24")
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)


# -- Kafka only ----------------------------------------------------------------------------------------------------


async def configs(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {entry[0]: entry[1] for entry in answer.resources[0][4]}


@pytest.mark.slow
@ON_KAFKA
async def test_settings_that_differ_are_corrected_and_foreign_ones_are_left_alone(
    installation: Installation, admin: AIOKafkaAdminClient
) -> None:
    assert installation.provision().code == 0
    topic = installation.stack.prefix + TOPIC_SUBMISSIONS.name
    foreign = {"segment.bytes": "104857600", "message.timestamp.type": "CreateTime", "min.insync.replicas": "2"}
    await admin._send_request(SetConfigs(topic, foreign))
    before = await configs(admin, topic)
    ran = installation.provision(TOPICFLOW_RETAIN_DAYS="30")
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.done) == len(PROJECTED)  # all have the same retention
    changed = {"retention.ms": "2592000000", "message.timestamp.type": "LogAppendTime", "min.insync.replicas": "1"}
    assert await configs(admin, topic) == before | changed
    assert nothing_to_do(installation.provision(TOPICFLOW_RETAIN_DAYS="30"))


@ON_KAFKA
def test_partitions_are_added_only_on_request_and_never_removed(installation: Installation) -> None:
    assert installation.provision().code == 0
    hinted = installation.provision(TOPICFLOW_PARTITIONS="6")
    assert (hinted.code, hinted.done) == (0, [])
    assert "--partitions 6" in hinted.out
    added = installation.provision("--partitions", "6", TOPICFLOW_PARTITIONS="6")
    assert (added.code, len(added.done)) == (0, 1)
    assert "another partition than earlier ones" in added.out
    assert nothing_to_do(installation.provision("--partitions", "6", TOPICFLOW_PARTITIONS="6"))
    for arguments in (("--partitions", "4"), ("--partitions", "4", "--dry-run")):
        refused = installation.provision(*arguments)
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
        assert "Kafka cannot remove partitions" in refused.err


@ON_KAFKA
async def test_a_dead_letter_stream_has_one_partition_or_as_many_as_the_others_if_it_had_more(
    installation: Installation, admin: AIOKafkaAdminClient
) -> None:
    prefix = installation.stack.prefix
    outcomes, earlier = f"{prefix}{SUBMISSION_OUTCOMES.name}", f"{prefix}{TOPIC_SUBMISSIONS.dead_letters}"
    new = f"{prefix}{ARTICLE_SUBMISSIONS.dead_letters}"
    await admin.create_topics([NewTopic(earlier, 4, 1)])

    async def partitions() -> dict[str, int]:
        described = await admin.describe_topics([outcomes, earlier, new])
        return {topic["topic"]: len(topic["partitions"]) for topic in described}

    assert installation.provision().code == 0
    assert await partitions() == {outcomes: 4, earlier: 4, new: 1}
    assert installation.provision("--partitions", "6").code == 0
    assert await partitions() == {outcomes: 6, earlier: 6, new: 1}
    assert nothing_to_do(installation.provision("--partitions", "6", TOPICFLOW_PARTITIONS="6"))


@ON_KAFKA
async def test_a_new_stream_gets_as_many_partitions_as_the_others(
    installation: Installation, admin: AIOKafkaAdminClient, transport: Transport
) -> None:
    assert installation.provision().code == 0
    prefix = installation.stack.prefix
    await admin.delete_topics([f"{prefix}submission-outcomes"])

    async def is_gone() -> bool:
        return any("submission-outcomes" in step.text for step in (await transport.plan()).streams)

    await eventually(is_gone, within=10)
    assert len(installation.provision(TOPICFLOW_PARTITIONS="12").done) == 1
    assert len(await transport.end_positions(["submission-outcomes"])) == 4


@pytest.mark.slow
@ON_KAFKA
async def test_adding_partitions_while_workers_run_loses_and_repeats_nothing(
    installation: Installation, admin: AIOKafkaAdminClient, transport: Transport
) -> None:
    """Workers look for new partitions every 30 s; what is published there before waits for them."""
    installation.gemini.take(0.1)
    assert installation.provision().code == 0
    installation.project()
    workers = [installation.add("topic-worker", f"topic-worker-{n}") for n in range(2)]
    group = installation.stack.prefix + "topic-worker"

    async def both_have_joined() -> bool:
        [answer] = await admin.describe_consumer_groups([group])
        return len(answer.groups[0][5]) == len(workers) and answer.groups[0][2] == "Stable"

    await eventually(both_have_joined, within=30)
    before = [f"before {n}" for n in range(1000)]
    await installation.submit(*before)
    await eventually(lambda: len(installation.paid) > 100, within=30)
    added = installation.provision("--partitions", "12")
    assert (added.code, added.err) == (0, "")
    after = [f"after {n}" for n in range(200)]
    await installation.submit(*after)
    ends = await transport.end_positions([TOPIC_SUBMISSIONS.name])
    assert all(ends[partition][TOPIC_SUBMISSIONS.name] for partition in range(12))
    expected = dict.fromkeys(before + after, 1)
    await eventually(lambda: _completed(installation) == len(expected), within=120, every=0.5)
    assert installation.paid == expected
    assert all(worker.is_alive for worker in workers)


def _completed(installation: Installation) -> int:
    [(count,)] = rows(installation.database_url, "SELECT count(*) FROM submissions WHERE status = 'completed'")
    return int(count)
