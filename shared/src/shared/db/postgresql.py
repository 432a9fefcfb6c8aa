"""PostgreSQL: how connections are set up. Opened by `engine.py`.

Every timeout is below Kafka's session timeout of 10 s: a projector that takes over the partitions of a frozen one must
not wait for the locks that the frozen one holds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, create_engine

ACCESS_THREADS = 4
WRITER_THREADS = 2  # batches of different partitions: one is prepared while the server executes another
PROVISIONING_LOCK = 0x746F706963666C70  # id of an advisory lock; the migrations use the one before
CONNECT_TIMEOUT, SILENCE_TIMEOUT = 5, 6  # seconds
CLIENT_DEFAULTS: dict[str, Any] = {  # the URL takes precedence
    "application_name": "topicflow",
    "connect_timeout": CONNECT_TIMEOUT,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENCE_TIMEOUT * 1000,
}
_SESSION = (
    "SET timezone TO 'UTC'",
    "SET idle_in_transaction_session_timeout TO '5s'",  # if the client freezes
    "SET tcp_keepalives_idle TO 3",  # if its machine vanishes
    "SET tcp_keepalives_interval TO 1",
    "SET tcp_keepalives_count TO 3",
    f"SET tcp_user_timeout TO '{SILENCE_TIMEOUT}s'",
)
_READING = (
    "SET default_transaction_isolation TO 'repeatable read'",  # one snapshot
    "SET default_transaction_read_only TO on",
    "SET statement_timeout TO '10s'",
    "SET plan_cache_mode TO force_custom_plan",  # 0.4 ms per page; a generic plan ignores how rare a filter value is
)
_WRITING = ("SET lock_timeout TO '3s'",)
_GENERIC_PLAN = "SET plan_cache_mode TO force_generic_plan"
_BY_INDEX = (  # for every query of the projector: a table that is new or grew fast has no statistics
    "SET enable_seqscan TO off",
    "SET enable_hashjoin TO off",
    "SET enable_mergejoin TO off",
    "SET jit TO off",
)


def reader(url: str, threads: int) -> Engine:
    return _open(url, "api", _READING, threads)


def writer(url: str) -> tuple[Engine, int]:
    settings = (*_WRITING, *_BY_INDEX, _GENERIC_PLAN)
    return _open(url, "status-projector", settings, WRITER_THREADS), WRITER_THREADS


def access(url: str) -> tuple[Engine, int]:
    """Returns the engine and the number of threads that may use it."""
    return _open(url, "api access", (*_WRITING, "SET statement_timeout TO '10s'"), ACCESS_THREADS), ACCESS_THREADS


def exists(url: str, schema: str) -> bool:
    return True


@contextmanager
def try_lock(url: str) -> Iterator[bool]:
    """Raises OSError."""
    try:
        connection = psycopg.connect(**_parameters(url, "provision"), autocommit=True)
    except psycopg.OperationalError as error:
        raise ConnectionError(str(error).strip()) from error
    with connection:
        [acquired] = connection.execute("SELECT pg_try_advisory_lock(%s)", [PROVISIONING_LOCK]).fetchone() or [False]
        try:
            yield bool(acquired)
        finally:
            with suppress(psycopg.Error):  # closing releases it too, but a moment later
                connection.execute("SELECT pg_advisory_unlock_all()")


def _open(url: str, purpose: str, settings: Sequence[str], connections: int) -> Engine:
    """libpq parses the URL, which may contain several hosts, certificate files and any other libpq parameter."""
    parameters = _parameters(url, purpose)

    def connect() -> psycopg.Connection[Any]:
        connection = psycopg.connect(**parameters, autocommit=True)
        connection.execute("; ".join((*_SESSION, *settings)))
        connection.autocommit = False
        return connection

    return create_engine("postgresql+psycopg://", creator=connect, pool_size=connections, max_overflow=0)


def _parameters(url: str, purpose: str) -> dict[str, Any]:
    return CLIENT_DEFAULTS | {"application_name": f"topicflow {purpose}"} | conninfo_to_dict(url)
