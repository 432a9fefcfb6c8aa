"""A prompt: the text of a package's file, and its version, which is stored with every answer."""

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Self


@dataclass(frozen=True, slots=True)
class Prompt:
    text: str
    version: str  # derived from the text

    @classmethod
    def read(cls, package: str, name: str) -> Self:
        text = files(package).joinpath(name).read_text("utf-8")
        return cls(text, sha256(text.encode()).hexdigest()[:12])

    def instructions(self, reason: str) -> str:
        """`reason`: why the previous answer was rejected; "" on the first request."""
        return f"{self.text}\n\nAn earlier answer for this item could not be used: {reason}" if reason else self.text
