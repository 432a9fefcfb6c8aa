"""Validates the id of an article: a URN (RFC 8141), such as urn:article:coffee-and-sleep."""

import re

LONGEST = 300  # characters
_URN = re.compile(r"urn:[A-Za-z0-9][A-Za-z0-9-]{0,31}:[A-Za-z0-9()+,\-.:=@;$_!*'~&%?#]+", re.ASCII)


def checked_urn(urn: str) -> str:
    """Returns the trimmed URN. Raises ValueError."""
    urn = urn.strip()
    if not is_urn(urn):
        raise ValueError(f"must be a URN like urn:article:some-name, at most {LONGEST} characters long")
    return urn


def is_urn(text: str) -> bool:
    """Whether it is a URN as it is, untrimmed."""
    return len(text) <= LONGEST and _URN.fullmatch(text) is not None
