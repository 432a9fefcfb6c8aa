"""Ids of submissions and events, derived from what they name: the same title is the same topic. Free of pydantic."""

import unicodedata
from hashlib import sha1
from uuid import UUID

NAMESPACE = UUID("90854226-d4ce-58ec-b4b5-06b0c2d3c460")
_NAMESPACE_BYTES = NAMESPACE.bytes


def normal(title: str) -> str:
    """What makes two titles the same topic: NFKC, casefold, trim, one space for each run of whitespace."""
    return " ".join(unicodedata.normalize("NFKC", title).casefold().split())


def derived_id(name: str) -> str:
    """UUIDv5 (RFC 9562 §5.5) of our namespace as text, in a third of the time that `uuid.uuid5` takes."""
    digest = bytearray(sha1(_NAMESPACE_BYTES + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def topic_id(title: str) -> str:
    return derived_id("topic:" + normal(title))


def article_id(urn: str) -> str:
    return derived_id("article:" + urn)


def scan_id(scan: str) -> str:
    return derived_id("scan:" + scan)
