"""The files of the page, read once.

Their address has a hash of all of them, so a browser never mixes a new version with an old one that it kept.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

from api.static_files import StaticFile

FOLDER = Path(__file__).parent / "assets"
DOCUMENT = Path(__file__).parent / "index.html"
VERSION_IN_DOCUMENT = "{version}"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class PageFiles:
    """`version`: of all assets together."""

    document: StaticFile
    version: str
    assets: dict[str, StaticFile]


@cache
def page() -> PageFiles:
    bodies = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in MEDIA_TYPES}
    everything = b"".join(name.encode() + b"\0" + body for name, body in bodies.items())
    version = blake2b(everything, digest_size=8).hexdigest()
    document = DOCUMENT.read_text().replace(VERSION_IN_DOCUMENT, version).encode()
    assets = {name: StaticFile.of(body, MEDIA_TYPES[Path(name).suffix]) for name, body in bodies.items()}
    return PageFiles(StaticFile.of(document, "text/html; charset=utf-8"), version, assets)
