"""The product's sources as syntax trees: what is written in them, in whatever module and by whatever class."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
MEMBERS = ("shared", "services/*", "cli", "deploy/local")
WORD = re.compile(r"[a-z0-9_{}]*[a-z0-9}]")
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Sources:
    """By the path of each file; f-strings as `gemini_{}`."""

    def __init__(self, repository: Path = REPOSITORY) -> None:
        files = sorted(path for member in MEMBERS for path in repository.glob(f"{member}/src/**/*.py"))
        self.trees = {str(path.relative_to(repository)): ast.parse(path.read_text("utf-8")) for path in files}
        self._nodes = [node for tree in self.trees.values() for node in ast.walk(tree)]
        self._definitions = {node.name: node for node in self._nodes if isinstance(node, Definition)}
        self._constants = dict(filter(None, map(_constant, self._nodes)))

    def texts(self, under: str = "") -> set[str]:
        """Every string and every bytes of ASCII in the files under a folder."""
        trees = [tree for path, tree in self.trees.items() if path.startswith(under)]
        values = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        found = {value for value in values if isinstance(value, str)}
        return found | {value.decode("ascii", "replace") for value in values if isinstance(value, bytes)}

    def words_given_as(self, parameter: str) -> set[str]:
        """The literals of a parameter of this name in calls, and of an attribute of this name in classes."""
        given = [text for node in self._nodes for value in self._given(node, parameter) for text in self._text(value)]
        return {text for text in given if WORD.fullmatch(text)}

    def numbers_given_as(self, parameter: str, under: str = "") -> set[int]:
        trees = [tree for path, tree in self.trees.items() if path.startswith(under)]
        values = [value for tree in trees for node in ast.walk(tree) for value in self._given(node, parameter)]
        return {value.value for value in values if isinstance(value, ast.Constant) and type(value.value) is int}

    def _given(self, node: ast.AST, parameter: str) -> Iterator[ast.expr]:
        if isinstance(node, ast.Call):
            yield from (keyword.value for keyword in node.keywords if keyword.arg == parameter)
            yield from self._by_position(node, self._parameters(_called(node)), parameter)
        elif isinstance(node, ast.ClassDef):
            for statement in node.body:
                if isinstance(statement, ast.Assign) and _name(statement.targets[0]) == parameter:
                    yield statement.value
            for call in filter(_is_call_of_super, ast.walk(node)):
                assert isinstance(call, ast.Call)
                yield from self._by_position(call, self._parameters(_name(node.bases[0])), parameter)

    @staticmethod
    def _by_position(call: ast.Call, parameters: list[str], parameter: str) -> Iterator[ast.expr]:
        yield from (value for name, value in zip(parameters, call.args, strict=False) if name == parameter)

    def _parameters(self, name: str) -> list[str]:
        """Of a function or, without `self`, of a class: its own `__init__`, its fields, or its base's."""
        definition = self._definitions.get(name)
        if not isinstance(definition, ast.ClassDef):
            return [argument.arg for argument in definition.args.args if argument.arg != "self"] if definition else []
        for statement in definition.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
                return [argument.arg for argument in statement.args.args[1:]]
        if fields := [_name(each.target) for each in definition.body if isinstance(each, ast.AnnAssign)]:
            return fields
        return self._parameters(_name(definition.bases[0])) if definition.bases else []

    def _text(self, value: ast.expr) -> Iterator[str]:
        match value:
            case ast.Constant(value=str(text)):
                yield text
            case ast.JoinedStr(values=parts):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
            case ast.IfExp(body=one, orelse=other):
                yield from self._text(one)
                yield from self._text(other)
            case ast.Name(id=name) if name in self._constants:
                yield self._constants[name]


def _constant(node: ast.AST) -> tuple[str, str] | None:
    """`PAUSED = "paused"`"""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))) if name.isupper():
            return name, text
    return None


def _called(call: ast.Call) -> str:
    return _name(call.func)


def _name(expression: ast.expr) -> str:
    match expression:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _is_call_of_super(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__")):
            return True
    return False
