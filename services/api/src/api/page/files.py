"""The files of the page, read once.

Their address has a hash of all of them, so a browser never mixes a new version with an old one that it kept.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

FOLDER = Path(__file__).parent / "assets"
DOCUMENT = Path(__file__).parent / "index.html"
VERSION_IN_DOCUMENT = "{version}"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    media_type: str
    tag: str


@dataclass(frozen=True, slots=True)
class PageFiles:
    """`version`: of all assets together."""

    document: Asset
    version: str
    assets: dict[str, Asset]


@cache
def page() -> PageFiles:
    bodies = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in MEDIA_TYPES}
    version = _hash(b"".join(name.encode() + b"\0" + body for name, body in bodies.items()))
    document = DOCUMENT.read_text().replace(VERSION_IN_DOCUMENT, version).encode()
    assets = {name: _asset(body, MEDIA_TYPES[Path(name).suffix]) for name, body in bodies.items()}
    return PageFiles(_asset(document, "text/html; charset=utf-8"), version, assets)


def _asset(body: bytes, media_type: str) -> Asset:
    return Asset(body, media_type, f'W/"{_hash(body)}"')


def _hash(body: bytes) -> str:
    return blake2b(body, digest_size=8).hexdigest()
