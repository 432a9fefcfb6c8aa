"""Settings from the environment: valid values, and refusals in one line."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import httpx
import pytest
from eventually import eventually
from servers import free_port

from api.settings import ApiSettings
from shared.errors import SettingInvalid
from shared.settings import unknown_names, without_secrets
from status_projector.settings import ProjectorSettings

OURS = ("TOPICFLOW_", "GEMINI_", "GOOGLE_", "REDIS_", "WORKER_")


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(OURS)]:
        monkeypatch.delenv(name)


async def run(module: str, **settings: str) -> tuple[int | None, str, str]:
    """Its exit code, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        env=dict(os.environ) | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        ("api", "TOPICFLOW_BROKER_URL", "ftp://secret@x"),
        ("api", "TOPICFLOW_DATABASE_URL", "nonsense://secret@x/y"),
        ("api", "TOPICFLOW_DATABASE_URL", "postgresql://user:secret@host"),
        ("api", "TOPICFLOW_DATABASE_URL", "postgresql://user:not/encoded:secret@host/database"),
        ("status_projector", "TOPICFLOW_DATABASE_URL", "postgres://user:secret@host/database?sslmood=require"),
        ("api", "TOPICFLOW_PORT", "99999"),
        ("api", "TOPICFLOW_PORT", "secret"),
        ("api", "TOPICFLOW_HOST", "secret.example"),
        ("api", "TOPICFLOW_REQUESTS_PER_SECOND", "0"),
        ("api", "TOPICFLOW_ALLOWED_ORIGINS", "https://secret.example/path"),
        ("api", "TOPICFLOW_INSTANCE", "not ascii: ü"),
        ("api", "TOPICFLOW_BROKER_URL_FILE", "/nowhere/at/all"),
        ("topic_worker", "GEMINI_API_KEY", ""),
        ("topic_worker", "TOPICFLOW_IN_FLIGHT", "0"),
        ("topic_worker", "TOPICFLOW_PRICES", "gemini=0.3"),
        ("topic_worker", "GEMINI_TOPIC_THINKING", "secret"),
        ("topic_worker", "GEMINI_API_VERSION", "secret"),
        ("topic_worker", "GEMINI_MODEL", " "),
        ("topic_worker", "GEMINI_MODEL", "secret model"),
        ("topic_worker", "GOOGLE_GEMINI_BASE_URL", "http://[secret"),
        ("enricher", "GOOGLE_GEMINI_BASE_URL", "https://secret.example/v1beta/models/x"),
        ("status_projector", "TOPICFLOW_RETAIN_DAYS", "-1"),
    ],
)
async def test_an_invalid_setting_is_refused_with_one_line_that_names_it_and_hides_its_value(
    module: str, name: str, value: str
) -> None:
    code, out, err = await run(module, **({"GEMINI_API_KEY": "key"} | {name: value}))
    assert (code, out) == (2, "")
    assert err.startswith(f"{module.replace('_', '-')}: ")
    assert f"{name}: " in err
    assert err.count("\n") == 1
    assert "secret" not in err


async def test_a_port_in_use_is_refused_with_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = await run("api", TOPICFLOW_PORT=str(port))
    assert (code, out) == (3, "")
    why = f"cannot listen on port {port} of 127.0.0.1: Address already in use"
    assert err == f"api: {why} (set TOPICFLOW_PORT to another port)\n"


async def test_an_unknown_setting_is_warned_about() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        _, _, err = await run("api", TOPICFLOW_PORT=port, TOPICFLOW_PROT="1", TOPICFLOW_API_SERVICE_HOST="10.0.0.1")
    [warning, _] = err.splitlines()
    assert '"event": "unknown_setting"' in warning
    assert '"name": "TOPICFLOW_PROT"' in warning


def test_service_variables_of_kubernetes_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPICFLOW_PORT", "tcp://10.0.0.1:80")
    monkeypatch.setenv("TOPICFLOW_PORT_80_TCP_ADDR", "10.0.0.1")
    monkeypatch.setenv("REDIS_PORT", "tcp://10.0.0.2:6380")
    monkeypatch.setenv("REDIS_HOST", "10.0.0.2")
    settings = ApiSettings.load()
    assert (settings.port, settings.broker_url) == (8000, "redis://10.0.0.2:6380/0")
    assert unknown_names() == []


def test_an_old_redis_host_with_its_port_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_HOST", "tcp://redis.local:6390")
    assert ApiSettings.load().broker_url == "redis://redis.local:6390/0"


def test_a_setting_can_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "broker-url"
    secret.write_text("redis://:s3cret-7f@somewhere:1/0\n")
    monkeypatch.setenv("TOPICFLOW_BROKER_URL_FILE", str(secret))
    assert ApiSettings.load().broker_url == "redis://:s3cret-7f@somewhere:1/0"
    assert "s3cret-7f" not in repr(ApiSettings.load())
    monkeypatch.setenv("TOPICFLOW_BROKER_URL", "redis://named:2/0")  # the plain name wins
    assert ApiSettings.load().broker_url == "redis://named:2/0"


@pytest.mark.parametrize("name", ["TOPICFLOW_PORT", "TOPICFLOW_HOST", "TOPICFLOW_BROKER_URL", "TOPICFLOW_DATABASE_URL"])
def test_an_empty_value_means_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    expected = ApiSettings.load()
    monkeypatch.setenv(name, "")
    monkeypatch.setenv(f"{name}_FILE", "")
    assert ApiSettings.load() == expected


@pytest.mark.parametrize(
    ("host", "needs_key"),
    [
        ("127.0.0.1", False),
        ("127.1.2.3", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("10.0.0.7", True),
        ("::ffff:127.0.0.1", True),
    ],
)
def test_the_api_can_listen_on_every_address_and_beyond_loopback_a_key_is_needed(
    monkeypatch: pytest.MonkeyPatch, host: str, needs_key: bool
) -> None:
    monkeypatch.setenv("TOPICFLOW_HOST", host)
    settings = ApiSettings.load()
    assert (settings.host, settings.needs_key) == (host, needs_key)


async def test_beyond_loopback_the_api_waits_for_its_database_and_refuses_to_run_without_a_key(tmp_path: Path) -> None:
    folder = tmp_path / "not there yet"
    port = free_port()
    command = run(
        "api", TOPICFLOW_HOST="0.0.0.0", TOPICFLOW_PORT=str(port), TOPICFLOW_DATABASE_URL=f"sqlite:///{folder}/t.db"
    )
    running = asyncio.create_task(command)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:

        async def answers() -> bool:
            try:
                return (await client.get("/live")).is_success
            except httpx.TransportError:
                return False

        await eventually(answers, within=10)
        assert (await client.get("/api/v1/topics")).status_code == 401
        assert (await client.get("/api/v1/topics", headers={"Authorization": "Bearer tf_1_2"})).status_code == 503
    assert not running.done()
    folder.mkdir()
    code, out, err = await running
    assert (code, out) == (2, "")
    why = "listening beyond loopback requires an API key, and none exists: run `topicflow keys create NAME` first"
    assert err.splitlines()[-1] == f"api: {why}"
    assert "Traceback" not in err


@pytest.mark.parametrize("days", ["0", "nan", "inf", "many"])
def test_streams_are_kept_for_a_number_of_days(monkeypatch: pytest.MonkeyPatch, days: str) -> None:
    monkeypatch.setenv("TOPICFLOW_RETAIN_DAYS", days)
    with pytest.raises(SettingInvalid, match="TOPICFLOW_RETAIN_DAYS: "):
        ProjectorSettings.load()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////data/topicflow.db",
        "postgresql://user:p%40ss@host:5433/database?sslmode=verify-full&application_name=mine",
        "postgres://user@first,second/database?target_session_attrs=read-write",
        "postgresql:///database?host=/run/postgresql",
    ],
)
def test_a_database_is_sqlite_or_any_url_of_libpq(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPICFLOW_DATABASE_URL", url)
    assert ProjectorSettings.load().database_url == url
    shown = without_secrets(url)
    assert "p%40ss" not in shown
    assert "database" in shown or "topicflow.db" in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@host:6379/1?password=secret", "redis://host:6379/1"),
        ("rediss://user:secret@host", "rediss://host"),
        ("kafka://one:9092,two:9092", "kafka://one:9092,two:9092"),
        ("postgresql://user:s%40cret@host:5433/database?sslpassword=secret", "postgresql://host:5433/database"),
        ("sqlite:////data/topicflow.db", "sqlite:////data/topicflow.db"),
        ("redis://:secret/not@escaped:1/0", "redis://…"),
        ("redis://:secret#not@escaped:1/0", "redis://…"),
        ("redis://:secret?not@escaped:1/0", "redis://…"),
    ],
)
def test_a_shown_url_has_its_address_and_no_secret(url: str, shown: str) -> None:
    assert without_secrets(url) == shown
