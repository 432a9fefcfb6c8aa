"""The commands in README and docs: in fences without a language, or of `sh` if they can run beside `make run`.

Output is in fences of `text`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*((?:\.venv/bin/)?topicflow|make|python -m|curl)\b")


@dataclass(frozen=True, slots=True)
class Command:
    """`is_run`: it is in a block of `sh`, so it must work beside `make run` and end by itself."""

    page: str
    text: str
    is_run: bool

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def commands() -> list[Command]:
    found = []
    for page in PAGES:
        for language, block in _BLOCK.findall(page.read_text()):
            if language not in {"", "sh"}:
                continue
            lines = block.replace("\\\n", " ").splitlines()
            found += [Command(page.name, text, language == "sh") for text in _commands_of(lines)]
    return found


def _commands_of(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if _COMMAND.match(line):
            yield line.removeprefix("$ ").strip()
