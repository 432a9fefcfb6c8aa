"""What a model is instructed to do: a file of a package, and its version, which says what an answer was made by."""

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Self


@dataclass(frozen=True, slots=True)
class Prompt:
    text: str
    version: str  # of the text: another one, another version

    @classmethod
    def read(cls, package: str, name: str) -> Self:
        text = files(package).joinpath(name).read_text("utf-8")
        return cls(text, sha256(text.encode()).hexdigest()[:12])

    def instructions(self, reason: str) -> str:
        """`reason`: why the answer before was not taken; "" the first time."""
        return f"{self.text}\n\nAn earlier answer for this item could not be used: {reason}" if reason else self.text
