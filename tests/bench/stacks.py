"""The broker and the database of a benchmark, as processes whose costs can be measured."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from servers import KafkaServer, PostgresServer, Process, ValkeyServer
from servers.stack import KAFKA, VALKEY, Stack, on_valkey

S = TypeVar("S", KafkaServer, PostgresServer, ValkeyServer)


@contextmanager
def running_stack(on: str, folder: Path, kept: Path) -> Iterator[tuple[Stack, Mapping[str, Process]]]:
    """Running, as a deployment has them by default; its servers by name. `kept`: where SQLite's file lies.

    Raises local_processes.errors.Failed where Kafka or PostgreSQL cannot run.
    """
    with ExitStack() as opened:

        def started(server: S) -> S:
            opened.callback(server.end)
            server.start()
            return server

        if on == VALKEY:
            valkey = started(ValkeyServer(folder / "valkey"))
            yield on_valkey(valkey, kept), {"valkey": valkey}
        else:
            kafka = started(KafkaServer(folder / "kafka"))
            postgres = started(PostgresServer(folder / "postgres", fsync="on"))
            stack = Stack(KAFKA, {"TOPICFLOW_BROKER_URL": kafka.url}, postgres.url, kafka)
            yield stack, {"kafka": kafka, "postgresql": postgres}
