"""Reads deploy/compose.yaml as Compose does: anchors, merges, and variables from an environment file."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"
COMPOSE, TRIAL = DEPLOY / "compose.yaml", DEPLOY / "trial.env"
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<how>:-|:\?)(?P<otherwise>[^${}]*))?\}")


class Missing(Exception):
    """A required variable is missing; with the message of the file."""


def variables(file: Path) -> dict[str, str]:
    """The variables of a file with lines NAME=value; nothing else is supported."""
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def services(given: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """By name, of all profiles. Raises Missing, and ValueError for a `$` that is more than `${NAME}`, `${NAME:-else}`
    or `${NAME:?why}`."""
    return dict(_filled_in(yaml.safe_load(COMPOSE.read_text()), given)["services"])


def environment(service: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """The environment of a service. A name without a value is passed on if it is given."""
    declared = service.get("environment", {})
    passed_on = {name: given[name] for name, value in declared.items() if value is None and name in given}
    return {name: value for name, value in declared.items() if value is not None} | passed_on


def _filled_in(node: Any, given: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _filled_in(value, given) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled_in(value, given) for value in node]
    return VARIABLE.sub(lambda found: _value(found, given), _understood(node)) if isinstance(node, str) else node


def _understood(text: str) -> str:
    if "$" in VARIABLE.sub("", text):
        raise ValueError(f"not understood here: {text}")
    return text


def _value(found: re.Match[str], given: Mapping[str, str]) -> str:
    """An empty value is none, as `:-` and `:?` have it."""
    name, how, otherwise = found["name"], found["how"], found["otherwise"]
    if how == ":?" and not given.get(name):
        raise Missing(f"{name} {otherwise}")
    return given.get(name) or otherwise or ""
