"""The contents of deploy/compose.yaml, without running it; `docker compose` must read them the same way, if there."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
from compose_file import COMPOSE, TRIAL, Missing, environment, services, variables

from local_servers import kafka_jars
from local_servers.postgres import LOCALE
from shared.settings import KNOWN

GIVEN = variables(TRIAL)
SERVICES = services(GIVEN)
BUILT = {name: service for name, service in SERVICES.items() if "build" in service}
RUN_ONCE = {
    other
    for service in SERVICES.values()
    for other, until in service.get("depends_on", {}).items()
    if until["condition"] == "service_completed_successfully"
}
Each = pytest.mark.parametrize("name", SERVICES)
LAST_COMMIT = 10  # seconds that a worker may need after its calls have ended


def seconds(text: str) -> int:
    assert re.fullmatch(r"\d+s", text)
    return int(text[:-1])


@Each
def test_a_service_is_contained(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"}
    assert "docker.sock" not in str(service.get("volumes"))


@Each
def test_a_service_has_limits_and_does_not_fill_the_disk_with_its_log(name: str) -> None:
    service = SERVICES[name]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@Each
def test_a_service_has_a_health_check_unless_it_runs_once(name: str) -> None:
    assert ("healthcheck" in SERVICES[name]) != (name in RUN_ONCE)
    assert SERVICES[name]["restart"] == ("on-failure:5" if name in RUN_ONCE else "unless-stopped")


@Each
def test_an_image_has_a_fixed_tag(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].rpartition(":")
    assert tag
    assert "/" not in tag
    assert tag != "latest"


def test_only_the_api_is_published_and_only_on_loopback_by_default() -> None:
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "api": ["127.0.0.1:8000:8000"]
    }
    published = services(GIVEN | {"TOPICFLOW_PUBLISHED": "10.0.0.1:80"})
    assert published["api"]["ports"] == ["10.0.0.1:80:8000"]


def test_a_worker_can_neither_reach_the_database_nor_log_in() -> None:
    with_a_password = {name for name in BUILT if "PGPASSWORD" in environment(BUILT[name], GIVEN)}
    assert with_a_password == {"provision", "api", "status-projector"}
    assert {name for name in SERVICES if "database" in SERVICES[name]["networks"]} == with_a_password | {"postgres"}


def test_every_setting_is_known() -> None:
    names = {name for service in BUILT.values() for name in service.get("environment", {})}
    assert {name for name in names if name.startswith("TOPICFLOW_")} <= KNOWN


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "GEMINI_API_KEY"])
def test_a_secret_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(Missing, match=f"^{name} is missing"):
        services(GIVEN | {name: ""})


def test_a_worker_has_the_time_to_stop() -> None:
    for service in BUILT.values():
        stop = environment(service, GIVEN).get("TOPICFLOW_STOP_SECONDS", "0")
        assert seconds(service["stop_grace_period"]) >= int(stop) + LAST_COMMIT


def test_replicas_share_no_name() -> None:
    assert {BUILT[name]["deploy"]["replicas"] for name in ("topic-worker", "enricher", "status-projector")} == {2}
    assert not [name for name in BUILT if "TOPICFLOW_INSTANCE" in BUILT[name].get("environment", {})]


def test_kafka_and_postgres_have_the_tested_versions_and_options() -> None:
    assert SERVICES["kafka"]["image"].rpartition(":")[2] == kafka_jars.cache().name.removeprefix("kafka-")
    assert SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"] == " ".join(LOCALE)


def test_docker_compose_reads_it_as_these_tests_do() -> None:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("there is no docker compose here")
    command = [docker, "compose", "--env-file", str(TRIAL), "--file", str(COMPOSE), "config", "--format", "json"]
    read: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert read["name"] == GIVEN["COMPOSE_PROJECT_NAME"]
    assert read["services"].keys() == SERVICES.keys()
    for name, service in SERVICES.items():
        found = read["services"][name]
        given = {key: value for key, value in found.get("environment", {}).items() if value is not None}
        assert given == environment(service, GIVEN)
        assert found.get("command") == service.get("command")
        assert found.get("healthcheck", {}).get("test") == service.get("healthcheck", {}).get("test")
