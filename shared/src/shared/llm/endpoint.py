"""Gemini endpoint: base URL and API version."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from shared.settings import without_secrets

GOOGLE = "https://generativelanguage.googleapis.com"
# v1beta has every model, the -latest names too, and takes a schema and instructions; v1 lacked some of that in 2026.
DEFAULT_VERSION = "v1beta"
_UNFIT = re.compile(r"[\s\x00-\x1f\x7f]")
_VERSION_AT_END = re.compile(r"/(v[1-9][a-z0-9]*)$")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`base_url`: without version and trailing slash."""

    base_url: str = GOOGLE
    version: str = DEFAULT_VERSION

    @staticmethod
    def checked(url: str) -> str:
        """Raises ValueError, whose message does not contain the URL."""
        try:
            parts = urlsplit(url)
            is_server = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            parts, is_server = urlsplit(""), False
        if not is_server or parts.query or parts.fragment or _UNFIT.search(url) or "/models" in parts.path:
            raise ValueError("expected http(s)://host:port/path, where the path ends with the API version at most")
        return url

    @classmethod
    def of(cls, url: str, version: str | None) -> Self:
        """The base URL may end with a version; `version` overrides it."""
        url = url.rstrip("/")
        in_url = _VERSION_AT_END.search(url)
        return cls(_VERSION_AT_END.sub("", url), version or (in_url[1] if in_url else DEFAULT_VERSION))

    def shown(self, model: str) -> str:
        """The URL of a model, without secrets."""
        return f"{without_secrets(self.base_url)}/{self.version}/models/{model}:generateContent"
