"""Imports between the tests go one way: what is nearer to a single function never imports what is nearer to a user."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[2]
LAYERS = ({"e2e", "chaos", "browser"}, {"integration"}, {"contract"}, {"unit"}, {"servers"})
LAYER_OF = {room: layer for layer, rooms in enumerate(LAYERS) for room in rooms}


def imports(path: Path) -> Iterator[str]:
    """The first names of the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)


def test_imports_between_tests_go_down_only() -> None:
    wrong = [
        f"{path.relative_to(TESTS)} imports {module}"
        for room, layer in LAYER_OF.items()
        for path in (TESTS / room).rglob("*.py")
        for module in imports(path)
        if module != room and LAYER_OF.get(module, layer + 1) <= layer
    ]
    assert not wrong


def test_the_factories_import_only_shared() -> None:
    assert set(imports(TESTS / "factories.py")) == {"datetime", "typing", "shared"}
