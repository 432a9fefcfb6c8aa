"""Dumps of everything that a deployment has written, by place, to search them for secrets."""

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

Dump = tuple[str, bytes]  # the place, and its content


def files(folder: Path, but: set[Path]) -> Iterator[Dump]:
    """Logs, and the files of Valkey and SQLite."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path not in but:
            yield f"the file {path.relative_to(folder)}", path.read_bytes()


def arguments(name: str, pid: int) -> Iterator[Dump]:
    """Of a process and its children."""
    process = psutil.Process(pid)
    for each in (process, *process.children(recursive=True)):
        for what in ("cmdline", "comm"):
            yield f"the {what} of {name}", Path(f"/proc/{each.pid}/{what}").read_bytes()


def database(url: str) -> Iterator[Dump]:
    """Each table with all its columns."""
    for schema, tables in (("projection", projection), ("access", access)):
        for table in tables.sorted_tables:
            yield f"the table {table.name}", repr(rows(url, f"SELECT * FROM {table.name}", schema)).encode()


async def redis(url: str) -> AsyncIterator[Dump]:
    """Each key with its value, and the list of clients."""
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


async def kafka(servers: str) -> AsyncIterator[Dump]:
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


async def output_of(*command: str, **environment: str) -> tuple[int, bytes]:
    """The exit code of a command and its output."""
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, output


def leaks(secrets: Mapping[str, str], dumps: list[Dump]) -> list[str]:
    """The names of the secrets found, and where; never their values."""
    return [
        f"{name} in {where}"
        for where, written in dumps
        for name, secret in secrets.items()
        if secret.encode() in written or b64encode(secret.encode()).rstrip(b"=")[:-1] in written
    ]
