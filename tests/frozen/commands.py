"""The command's commands, arguments and options."""

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.main import get_command

from frozen import product
from frozen.json_schema import plain

KINDS = {bool: "flag", int: "integer", float: "number", str: "text", Path: "path"}


def commands() -> dict[str, str]:
    lines = _of_command("topicflow", get_command(product.command_app))
    admin: Any = get_command(product.admin_app)  # run as a module of the API
    for name, command in admin.commands.items():
        lines |= _of_command(f"topicflow {name}", command, admin.context_settings["help_option_names"])
    return lines


def _of_command(name: str, command: Any, help_names: Sequence[str] = ()) -> dict[str, str]:
    """`Any` because typer's classes are click's, under names that are not public. `help_names`: of the parent."""
    help_names = command.context_settings.get("help_option_names", help_names)
    lines = {name: "a command"} | dict.fromkeys((f"{name} {option}" for option in help_names), "flag")
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    required: list[str] = []
    for parameter in command.params:
        is_argument = parameter in arguments
        names = [f"argument {arguments.index(parameter) + 1}"] if is_argument else parameter.opts
        required += names[:1] if parameter.required else []
        for each in (*names, *parameter.secondary_opts):
            lines |= _of_parameter(f"{name} {each}", parameter)
    lines |= _requires(name, required)
    for subcommand, inner in getattr(command, "commands", {}).items():
        lines |= _of_command(f"{name} {subcommand}", inner, help_names)
    return lines


def _of_parameter(name: str, parameter: Any) -> dict[str, str]:
    annotation = parameter.type_descriptor.annotation
    is_many = parameter.nargs == -1 or get_origin(annotation) is list
    kind = get_args(annotation)[0] if get_origin(annotation) is list else annotation
    choices = _choices(kind)
    text = "choice" if choices else KINDS[kind] + _range(parameter.min, parameter.max)
    return _lines(name, text, choices, parameter.default, required=parameter.required, is_many=is_many)


def _choices(kind: Any) -> Sequence[object]:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [member.value for member in kind]
    return get_args(kind) if get_origin(kind) is Literal else ()


def _range(least: float | None, most: float | None) -> str:
    if least is None and most is None:
        return ""
    return f" ({least} or more)" if most is None else f" ({least} to {most})"


def _requires(name: str, required: Sequence[str]) -> dict[str, str]:
    """One more would break callers, so all of them are one line."""
    return {f"{name} requires": ", ".join(sorted(required)) or "nothing"}


def _lines(name: str, kind: str, choices: Any, default: object, *, required: bool, is_many: bool) -> dict[str, str]:
    lines = {name: ", ".join([kind, *(["any number"] if is_many else []), *(["required"] if required else [])])}
    lines |= {f"{name} = {choice}": "a value" for choice in choices or ()}
    if kind != "flag" and not required:
        lines[f"{name} default"] = "none" if default is None else plain(default)
    return lines
