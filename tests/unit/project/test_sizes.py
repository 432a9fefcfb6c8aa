"""Files, functions and rooms stay small enough to be read at once."""

import ast
from collections import Counter
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).parents[3]
SOURCES = [
    path
    for folder in ("shared/src", "services", "cli/src", "deploy/local/src")
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "__init__.py"
]
MIGRATIONS = "migrations"  # never edited once they are released


def test_no_file_has_more_than_300_lines_and_most_have_fewer_than_100() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in SOURCES}
    assert [str(path) for path, number in lines.items() if number > 300] == []
    assert median(lines.values()) < 100


def test_no_function_has_more_than_50_lines_and_most_have_fewer_than_25() -> None:
    functions = [
        (path, node.name, (node.end_lineno or 0) - node.lineno + 1)
        for path in SOURCES
        if MIGRATIONS not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [(path.name, name) for path, name, lines in functions if lines > 50] == []
    assert quantiles((lines for *_, lines in functions), n=10)[-1] < 25


def test_no_folder_has_more_than_15_modules_side_by_side() -> None:
    rooms = Counter(path.parent for path in SOURCES)
    assert [str(room) for room, modules in rooms.items() if modules > 15] == []
