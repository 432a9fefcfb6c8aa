"""What the reference pages promise: names and defaults of settings, names, types and labels of metrics."""

import re
from collections.abc import Iterator

SETTING = re.compile(r"`([A-Z][A-Z0-9_]+)`")
LITERAL = re.compile(r"`([^`]+)`|\b([0-9]+)\b")


def documented_settings(page: str) -> dict[str, str]:
    """By name, the literals of its default: prose around them can change. One that is described twice has both."""
    defaults: dict[str, list[str]] = {}
    for name, _, default, *_ in _rows(page):
        names, parts = SETTING.findall(name), default.split(", ")
        each = parts if len(parts) == len(names) else [default] * len(names)
        for setting, part in zip(names, each, strict=True):
            literals = [code or number for code, number in LITERAL.findall(part)]
            defaults.setdefault(setting, []).append(", ".join(literals) or "none")
    return {f"{setting} documented": "; ".join(found) for setting, found in defaults.items()}


def metrics(page: str) -> dict[str, str]:
    """Each with its service. Another label makes another series, so all labels are one line."""
    return {
        name.strip("`"): f"{kind} of {section.lower()}, labels: {labels or 'none'}"
        for name, section, kind, labels, *_ in _rows(page)
    }


def _rows(page: str) -> Iterator[list[str]]:
    """The rows of all tables of a page: first cell, heading, other cells."""
    section = ""
    for line in page.splitlines():
        if line.startswith("#"):
            section = line.strip("# ")
        elif line.startswith("| `"):
            first, *others = (cell.strip() for cell in line.split("|")[1:-1])
            yield [first, section, *others]
