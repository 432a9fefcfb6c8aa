"""The command's commands, arguments and options, whether typer or argparse reads them."""

import argparse
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.main import get_command

from frozen import product
from frozen.json_schema import plain

KINDS = {bool: "flag", int: "integer", float: "number", str: "text", Path: "path"}
PARSERS = {"topicflow keys": product.keys_parser, "topicflow provision": product.provision_parser}  # run by the API
SAMPLES = sorted({edge + more for edge in (0, 10_000, 86_400, 1_000_000, 16 * 1024**2) for more in (0, 1)})


def commands() -> dict[str, str]:
    lines = _of_command("topicflow", get_command(product.command_app))
    for name, parser in PARSERS.items():
        lines |= _of_parser(name, parser())
    return lines


def _of_command(name: str, command: Any) -> dict[str, str]:
    """Of typer; `Any` because its classes are click's, under names that are not public."""
    lines = {name: "a command"} | dict.fromkeys(
        (f"{name} {option}" for option in command.context_settings.get("help_option_names", ())), "flag"
    )
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
        lines |= _of_command(f"{name} {subcommand}", inner)
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


def _of_parser(name: str, parser: argparse.ArgumentParser) -> dict[str, str]:
    lines, required, position = {name: "a command"}, list[str](), 0
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for subcommand, inner in action.choices.items():
                lines |= _of_parser(f"{name} {subcommand}", inner)
            continue
        position += not action.option_strings
        is_many = isinstance(action, argparse._AppendAction)
        names = action.option_strings or [f"argument {position}"]
        required += names[:1] if action.required else []
        for each in names:
            lines |= _lines(
                f"{name} {each}",
                _kind(action),
                action.choices,
                action.default,
                required=action.required,
                is_many=is_many,
            )
    return lines | _requires(name, required)


def _kind(action: argparse.Action) -> str:
    """What a function takes is found by trying it, for nothing says so."""
    if action.nargs == 0:
        return "flag"
    if action.choices:
        return "choice"
    if action.type is None or _takes(action, "a-word"):
        return "text"
    taken = [number for number in SAMPLES if _takes(action, str(number))]
    return "integer" + _range(taken[0], taken[-1])


def _takes(action: argparse.Action, text: str) -> bool:
    assert callable(action.type)
    try:
        action.type(text)
    except argparse.ArgumentTypeError:
        return False
    return True


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
