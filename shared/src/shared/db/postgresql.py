"""PostgreSQL: how connections are set up. Opened by `engine.py`.

Every timeout is below Kafka's session timeout of 10 s: whoever takes over the partitions of a frozen projector must not
wait for the locks that it holds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, create_engine

ACCESS_THREADS = 4
WRITER_THREADS = 2  # batches of different partitions, of which one is made ready while the server is at another
PROVISIONING = 0x746F706963666C70  # the advisory lock of who provisions; the one beside it is the migrations'
CONNECT_SECONDS, SILENT_SECONDS = 5, 6
OF_THE_CLIENT: dict[str, Any] = {  # what the URL says comes first
    "application_name": "topicflow",
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENT_SECONDS * 1000,
}
_EVERYWHERE = (
    "SET timezone TO 'UTC'",
    "SET idle_in_transaction_session_timeout TO '5s'",  # the client froze
    "SET tcp_keepalives_idle TO 3",  # its machine vanished
    "SET tcp_keepalives_interval TO 1",
    "SET tcp_keepalives_count TO 3",
    f"SET tcp_user_timeout TO '{SILENT_SECONDS}s'",
)
_READING = (
    "SET default_transaction_isolation TO 'repeatable read'",  # one snapshot
    "SET default_transaction_read_only TO on",
    "SET statement_timeout TO '10s'",
    "SET plan_cache_mode TO force_custom_plan",  # 0.4 ms a page; one plan for all would not see that a filter is rare
)
_WRITING = ("SET lock_timeout TO '3s'",)
_PLANNED_ONCE = "SET plan_cache_mode TO force_generic_plan"
_BY_INDEX = (  # as what the projector asks is to be answered: a table that is new or grew fast has no statistics
    "SET enable_seqscan TO off",
    "SET enable_hashjoin TO off",
    "SET enable_mergejoin TO off",
    "SET jit TO off",
)


def reader(url: str, threads: int) -> Engine:
    return _open(url, "api", _READING, threads)


def writer(url: str) -> tuple[Engine, int]:
    settings = (*_WRITING, *_BY_INDEX, _PLANNED_ONCE)
    return _open(url, "status-projector", settings, WRITER_THREADS), WRITER_THREADS


def access(url: str) -> tuple[Engine, int]:
    """And by how many threads it is used."""
    return _open(url, "api access", (*_WRITING, "SET statement_timeout TO '10s'"), ACCESS_THREADS), ACCESS_THREADS


def exists(url: str, schema: str) -> bool:
    return True


@contextmanager
def alone(url: str) -> Iterator[bool]:
    """Raises OSError."""
    try:
        connection = psycopg.connect(**_parameters(url, "provision"), autocommit=True)
    except psycopg.OperationalError as error:
        raise ConnectionError(str(error).strip()) from error
    with connection:
        [found] = connection.execute("SELECT pg_try_advisory_lock(%s)", [PROVISIONING]).fetchone() or [False]
        yield bool(found)


def _open(url: str, who: str, settings: Sequence[str], connections: int) -> Engine:
    """libpq reads the URL: it may name several hosts, files of certificates and whatever else it knows."""
    parameters = _parameters(url, who)

    def connect() -> psycopg.Connection[Any]:
        connection = psycopg.connect(**parameters, autocommit=True)
        connection.execute("; ".join((*_EVERYWHERE, *settings)))
        connection.autocommit = False
        return connection

    return create_engine("postgresql+psycopg://", creator=connect, pool_size=connections, max_overflow=0)


def _parameters(url: str, who: str) -> dict[str, Any]:
    return OF_THE_CLIENT | {"application_name": f"topicflow {who}"} | conninfo_to_dict(url)
