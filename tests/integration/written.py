"""Everything that a deployment has written, said and answered, by the place where it is found."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from integration.databases import rows
from redis.asyncio import Redis

from shared.db.tables import access, projection

Place = tuple[str, bytes]  # where, and what is written there


def files(folder: Path, but: set[Path]) -> Iterator[Place]:
    """Logs, and what servers that keep it as it is keep: Valkey's file, SQLite's."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path not in but:
            yield f"the file {path.relative_to(folder)}", path.read_bytes()


def arguments(name: str, pid: int) -> Iterator[Place]:
    """Of a process, with those that it started."""
    process = psutil.Process(pid)
    for each in (process, *process.children(recursive=True)):
        for what in ("cmdline", "comm"):
            yield f"the {what} of {name}", Path(f"/proc/{each.pid}/{what}").read_bytes()


def database(url: str) -> Iterator[Place]:
    """Each table with all its columns."""
    for schema, tables in (("projection", projection), ("access", access)):
        for table in tables.sorted_tables:
            yield f"the table {table.name}", repr(rows(url, f"SELECT * FROM {table.name}", schema)).encode()


async def redis(url: str) -> AsyncIterator[Place]:
    """Each key with what it holds, and what the server tells of itself."""
    client = Redis.from_url(url)
    async for key in client.scan_iter():
        kind = str(await client.type(key), "utf-8")  # type: ignore[arg-type]  # bytes, as nothing is decoded
        yield f"the {kind} {key.decode()}", key + repr(await _held(client, kind, key)).encode()
    yield "the list of clients", repr(await client.client_list()).encode()
    await client.aclose()


async def _held(client: Redis, kind: str, key: bytes) -> Any:
    if kind == "stream":
        groups = await client.xinfo_groups(key)
        return await client.xrange(key), groups, [await client.xinfo_consumers(key, of["name"]) for of in groups]
    reads = {"hash": "HGETALL", "string": "GET", "set": "SMEMBERS", "list": "LRANGE", "zset": "ZRANGE"}
    span = (0, -1) if kind in {"list", "zset"} else ()
    return await client.execute_command(reads[kind], key, *span)  # type: ignore[no-untyped-call]


async def kafka(servers: str) -> AsyncIterator[Place]:
    """Each record with key and headers, those of Kafka's own topics too: groups, commits."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    await admin.start()
    await consumer.start()
    for topic in await admin.list_topics():
        partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or await _of(admin, topic)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Any] = []
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [(record.key, record.value, record.headers) for record in records]
        yield f"the topic {topic}", repr(found).encode()
    await consumer.stop()
    await admin.close()


async def _of(admin: AIOKafkaAdminClient, topic: str) -> list[int]:
    [described] = await admin.describe_topics([topic])
    return [partition["partition"] for partition in described["partitions"]]


async def said_by(*command: str, **environment: str) -> tuple[int, bytes]:
    """The exit code of a command and what it said, however it ended."""
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, said


def leaks(secrets: Mapping[str, str], places: list[Place]) -> list[str]:
    """Which secret stands where; itself it is not told."""
    return [
        f"{name} in {where}"
        for where, written in places
        for name, secret in secrets.items()
        if secret.encode() in written or b64encode(secret.encode()).rstrip(b"=")[:-1] in written
    ]
