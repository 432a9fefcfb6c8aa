"""Local mode's pure parts: ports, environments, pauses between starts, logs, Valkey's config, the remembered url."""

import os
import socket
import stat
from pathlib import Path

import psutil
import pytest

from local_processes import ports
from local_processes.child import describe_end, next_pause
from local_processes.child_log import ROTATE_AT, ChildLog
from topicflow.errors import InUse, WrongUse
from topicflow.local_mode import external_services, valkey
from topicflow.local_mode.data_folder import running_url, write_private
from topicflow.local_mode.environments import LocalMode, gemini_is_configured
from topicflow.local_mode.external_services import ExternalService
from topicflow.local_mode.next_steps import next_steps


@pytest.mark.parametrize(("text", "port"), [(None, 8000), ("", 8000), ("tcp://10.0.0.1:8000", 8000), ("8123", 8123)])
def test_the_port_can_come_from_the_environment_but_not_from_kubernetes(text: str | None, port: int) -> None:
    assert ports.default_port(text) == port


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "80 ", "٨"])
def test_an_invalid_port_is_refused(text: str) -> None:
    with pytest.raises(WrongUse, match="TOPICFLOW_PORT"):
        ports.default_port(text)


def test_a_busy_port_is_refused_and_a_free_one_is_not() -> None:
    port = ports.free_port()
    ports.require_free(port)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(InUse, match=f"port {port} is in use"):
        ports.require_free(port)


@pytest.mark.parametrize("name", ["GEMINI_API_KEY", "GOOGLE_AI_API_KEY", "GEMINI_API_KEYS", "GEMINI_API_KEY_FILE"])
def test_any_gemini_key_means_the_real_one(name: str) -> None:
    assert gemini_is_configured({name: "x"})
    assert not gemini_is_configured({name: ""})


OWN_BROKER = {"TOPICFLOW_BROKER_URL": "redis://:secret@127.0.0.1:1/0"}
OWN_DATABASE = {"TOPICFLOW_DATABASE_URL": "sqlite:////data/topicflow.db"}


def _local_mode(environment: dict[str, str], simulator_port: int | None) -> LocalMode:
    return LocalMode(environment, OWN_BROKER, OWN_DATABASE, 8000, simulator_port)


def test_secrets_reach_only_the_services_that_need_them() -> None:
    mode = _local_mode({"GEMINI_API_KEY": "key", "GEMINI_API_KEYS_FILE": "keys", "PATH": "/bin"}, None)
    worker = mode.topic_worker().environment
    assert (worker["GEMINI_API_KEY"], worker["GEMINI_API_KEYS_FILE"]) == ("key", "keys")
    assert "TOPICFLOW_DATABASE_URL" not in worker
    for program in (mode.api(), mode.status_projector()):
        assert program.environment["TOPICFLOW_DATABASE_URL"] == "sqlite:////data/topicflow.db"
        assert not [name for name in program.environment if name.startswith("GEMINI")]
        assert program.environment["PATH"] == "/bin"
    assert mode.without_secrets() == {"PATH": "/bin"}


def test_without_a_key_the_worker_talks_to_the_simulator_past_any_proxy() -> None:
    mode = _local_mode({"HTTP_PROXY": "http://proxy", "no_proxy": "intranet", "GEMINI_API_KEY": ""}, 8100)
    worker = mode.topic_worker().environment
    assert worker["GOOGLE_GEMINI_BASE_URL"] == "http://127.0.0.1:8100"
    assert worker["GEMINI_API_KEY"] == "simulator"
    assert worker["NO_PROXY"] == "intranet,127.0.0.1"
    assert mode.simulator().arguments[1:] == ("-m", "simulators.gemini", "--port", "8100")
    assert "TOPICFLOW_BROKER_URL" not in mode.simulator().environment


def test_broker_settings_reach_only_the_services() -> None:
    broker = {"REDIS_HOST": "elsewhere", "TOPICFLOW_KAFKA_PASSWORD": "secret"}
    users = {**broker, "TOPICFLOW_BROKER_URL_FILE": "", "TOPICFLOW_DATABASE_URL": "postgresql://u:secret@h/d"}
    database = {"TOPICFLOW_DATABASE_URL": users["TOPICFLOW_DATABASE_URL"]}
    mode = LocalMode(users, broker, database, 8000, 8100, instance_prefix="here-8000-")
    for program in (mode.topic_worker(), mode.status_projector(), mode.api()):
        assert broker.items() <= program.environment.items()
        assert "TOPICFLOW_BROKER_URL" not in program.environment
        assert not [argument for argument in program.arguments if "secret" in argument]
    assert database.items() <= mode.api().environment.items()
    assert "TOPICFLOW_DATABASE_URL" not in mode.topic_worker().environment
    assert mode.simulator().environment == mode.without_secrets() == {}


def test_workers_have_names_and_logs_of_their_own() -> None:
    mode = LocalMode({}, OWN_BROKER, OWN_DATABASE, 8000, 8100, instance_prefix="here-8000-")
    programs = [mode.topic_worker(number) for number in (1, 2, 11)]
    names = [program.environment["TOPICFLOW_INSTANCE"] for program in programs]
    assert names == ["here-8000-topic-worker-1", "here-8000-topic-worker-2", "here-8000-topic-worker-11"]
    assert [program.name for program in programs] == ["topic-worker", "topic-worker-2", "topic-worker-11"]
    assert len({program.arguments for program in programs}) == 1


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [
        name
        for name in os.environ
        if external_services.is_broker_setting(name) or external_services.is_database_setting(name)
    ]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({}, None),
        ({"TOPICFLOW_BROKER_URL": ""}, None),
        ({"REDIS_PORT": "tcp://10.0.0.1:6379"}, None),  # Kubernetes
        ({"REDIS_PORT": "6390"}, "redis://127.0.0.1:6390/0"),
        ({"REDIS_HOST": "tcp://there:6391"}, "redis://there:6391/0"),
        ({"REDIS_HOST": "there", "REDIS_PORT": "tcp://10.0.0.1:6392"}, "redis://there:6392/0"),
        ({"TOPICFLOW_BROKER_URL": "rediss://u:secret@there:1/2", "REDIS_HOST": "x"}, "rediss://there:1/2"),
        ({"TOPICFLOW_BROKER_URL": "kafka://a:1,b:2"}, "kafka://a:1,b:2"),
    ],
)
def test_a_broker_is_chosen_by_any_of_its_settings(
    environment: pytest.MonkeyPatch, settings: dict[str, str], shown: str | None
) -> None:
    for name, value in settings.items():
        environment.setenv(name, value)
    found = external_services.broker()
    assert (found and found.display_url) == shown
    assert found is None or found.settings == settings


def test_an_option_overrides_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TOPICFLOW_DATABASE_URL_FILE", "/nowhere")
    environment.setenv("TOPICFLOW_DATABASE_URL", "sqlite:////elsewhere")
    external_services.override("TOPICFLOW_DATABASE_URL", "postgresql://u:secret@h:1/d")
    assert external_services.database() == ExternalService(
        {"TOPICFLOW_DATABASE_URL": "postgresql://u:secret@h:1/d"}, "postgresql://h:1/d"
    )


@pytest.mark.parametrize("name", ["TOPICFLOW_BROKER_URL", "TOPICFLOW_DATABASE_URL"])
def test_an_invalid_url_is_refused_without_showing_it(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, "ftp://u:secret@x")
    with pytest.raises(WrongUse, match=name) as refused:
        _ = external_services.broker(), external_services.database()
    assert "secret" not in str(refused.value)


def test_several_workers_do_not_share_one_ops_port() -> None:
    mode = _local_mode({"TOPICFLOW_OPS_PORT": "9000", "TOPICFLOW_LOG_LEVEL": "DEBUG"}, None)
    for program in (mode.topic_worker(), mode.status_projector(), mode.api()):
        assert "TOPICFLOW_OPS_PORT" not in program.environment
        assert program.environment["TOPICFLOW_LOG_LEVEL"] == "DEBUG"


def test_restart_pauses_double_while_a_child_dies_early_and_start_over_after_a_long_run() -> None:
    pauses: list[float] = []
    for _ in range(8):
        pauses.append(next_pause(pauses[-1] if pauses else None, uptime=1))
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]
    assert next_pause(10, uptime=31) == 0.2


def test_the_exit_of_a_child_is_described_in_words() -> None:
    assert describe_end(3) == "ended (exit code 3)"
    assert describe_end(-9) == "was killed (SIGKILL)"
    assert describe_end(-250) == "was killed (signal 250)"


def test_the_last_output_is_that_of_the_latest_run(tmp_path: Path) -> None:
    log = ChildLog(tmp_path / "child.log")
    with log.open() as file:
        file.write(b"an earlier life\n")
    with log.open():
        pass
    assert log.last_line() == ""
    with log.open() as file:
        file.write(b"first\nGEMINI_API_KEY: not set\n\n")
    assert log.last_line() == "GEMINI_API_KEY: not set"


def test_a_large_log_is_rotated_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "child.log"
    with path.open("wb") as file:
        file.truncate(ROTATE_AT + 1)
    ChildLog(path).open().close()
    assert path.stat().st_size == 0
    assert (tmp_path / "child.log.1").stat().st_size == ROTATE_AT + 1


def test_valkeys_config_and_password_are_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / 'a "quoted" folder'
    folder.mkdir()
    broker = valkey.prepare(folder, 21000)
    assert valkey.prepare(folder, 21001).password == broker.password
    broker.program({})
    assert valkey.last_url(folder) == broker.url
    for name in ("password", "url", "valkey.conf"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    config = (folder / "valkey.conf").read_text()
    assert f'dir "{tmp_path}/a \\"quoted\\" folder"' in config
    for line in ("bind 127.0.0.1", "port 21000", "appendfsync always", "maxmemory-policy noeviction", 'save ""'):
        assert line in config.splitlines()


def test_valkey_has_a_memory_limit(tmp_path: Path) -> None:
    valkey.prepare(tmp_path, 21000).program({})
    [limit] = [line.split()[1] for line in (tmp_path / "valkey.conf").read_text().splitlines() if "maxmemory " in line]
    assert 0 < int(limit) <= min(2 * 1024**3, psutil.virtual_memory().total // 2 + 1)


@pytest.mark.parametrize(
    "url", ["http://evil.example:80", "https://127.0.0.1:8000", "http://127.0.0.1", "http://[", ""]
)
def test_a_folder_cannot_send_the_key_to_another_machine(tmp_path: Path, url: str) -> None:
    write_private(tmp_path / "url", url)
    assert running_url(tmp_path) is None


def test_the_next_steps_name_the_url_only_where_it_is_needed() -> None:
    here = Path(".topicflow").absolute()
    found = list(next_steps("http://127.0.0.1:8123", here, {}, storage="there", remarks=[]))
    elsewhere = list(
        next_steps("http://127.0.0.1:8123", Path("/elsewhere"), {}, storage="there", remarks=["simulated"])
    )
    assert found[0] == "topicflow is ready at http://127.0.0.1:8123"
    assert not [line for line in found[1:] if "8123" in line or "simulated" in line]
    assert "simulated" in elsewhere[1]
    assert "--url http://127.0.0.1:8123" in elsewhere[2]
    assert elsewhere[-1] == "Ctrl-C stops; submissions are kept in there"
