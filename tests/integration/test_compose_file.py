"""What deploy/compose.yaml says, without running it; `docker compose` reads it in the same way, where there is one."""

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
OURS = {name: told for name, told in SERVICES.items() if "build" in told}
AWAITED = {
    other
    for told in SERVICES.values()
    for other, until in told.get("depends_on", {}).items()
    if until["condition"] == "service_completed_successfully"
}
Each = pytest.mark.parametrize("name", SERVICES)
LAST_COMMIT = 10  # seconds that a worker may need after its calls have ended


def seconds(text: str) -> int:
    assert re.fullmatch(r"\d+s", text)
    return int(text[:-1])


@Each
def test_a_service_is_contained(name: str) -> None:
    told = SERVICES[name]
    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert not told.keys() & {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"}
    assert "docker.sock" not in str(told.get("volumes"))


@Each
def test_a_service_has_limits_and_does_not_fill_the_disk_with_its_log(name: str) -> None:
    told = SERVICES[name]
    assert told["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert told["logging"]["options"].keys() == {"max-size", "max-file"}


@Each
def test_a_service_says_whether_it_is_well_unless_it_runs_once(name: str) -> None:
    assert ("healthcheck" in SERVICES[name]) != (name in AWAITED)
    assert SERVICES[name]["restart"] == ("on-failure:5" if name in AWAITED else "unless-stopped")


@Each
def test_an_image_has_a_tag_that_means_the_same_tomorrow(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].rpartition(":")
    assert tag
    assert "/" not in tag
    assert tag != "latest"


def test_only_the_api_can_be_reached_and_only_from_this_machine_unless_told_otherwise() -> None:
    assert {name: told["ports"] for name, told in SERVICES.items() if "ports" in told} == {
        "api": ["127.0.0.1:8000:8000"]
    }
    elsewhere = services(GIVEN | {"TOPICFLOW_PUBLISHED": "10.0.0.1:80"})
    assert elsewhere["api"]["ports"] == ["10.0.0.1:80:8000"]


def test_a_worker_can_neither_reach_the_database_nor_log_in() -> None:
    with_a_password = {name for name in OURS if "PGPASSWORD" in environment(OURS[name], GIVEN)}
    assert with_a_password == {"provision", "api", "status-projector"}
    assert {name for name in SERVICES if "database" in SERVICES[name]["networks"]} == with_a_password | {"postgres"}


def test_every_setting_is_known() -> None:
    told = {name for service in OURS.values() for name in service.get("environment", {})}
    assert {name for name in told if name.startswith("TOPICFLOW_")} <= KNOWN


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "GEMINI_API_KEY"])
def test_a_secret_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(Missing, match=f"^{name} is missing"):
        services(GIVEN | {name: ""})


def test_a_worker_has_the_time_to_stop() -> None:
    for told in OURS.values():
        stop = environment(told, GIVEN).get("TOPICFLOW_STOP_SECONDS", "0")
        assert seconds(told["stop_grace_period"]) >= int(stop) + LAST_COMMIT


def test_replicas_share_no_name() -> None:
    assert {OURS[name]["deploy"]["replicas"] for name in ("topic-worker", "enricher", "status-projector")} == {2}
    assert not [name for name in OURS if "TOPICFLOW_INSTANCE" in OURS[name].get("environment", {})]


def test_kafka_and_postgres_are_as_they_are_tested() -> None:
    assert SERVICES["kafka"]["image"].rpartition(":")[2] == kafka_jars.cache().name.removeprefix("kafka-")
    assert SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"] == " ".join(LOCALE)


def test_docker_compose_reads_it_as_these_tests_do() -> None:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("there is no docker compose here")
    asks = [docker, "compose", "--env-file", str(TRIAL), "--file", str(COMPOSE), "config", "--format", "json"]
    read: dict[str, Any] = json.loads(subprocess.run(asks, check=True, capture_output=True).stdout)
    assert read["name"] == GIVEN["COMPOSE_PROJECT_NAME"]
    assert read["services"].keys() == SERVICES.keys()
    for name, told in SERVICES.items():
        found = read["services"][name]
        given = {key: value for key, value in found.get("environment", {}).items() if value is not None}
        assert given == environment(told, GIVEN)
        assert found.get("command") == told.get("command")
        assert found.get("healthcheck", {}).get("test") == told.get("healthcheck", {}).get("test")
