"""What an article is called: a URN (RFC 8141), such as urn:article:coffee-and-sleep."""

import re

LONGEST = 300  # characters
_URN = re.compile(r"urn:[A-Za-z0-9][A-Za-z0-9-]{0,31}:[A-Za-z0-9()+,\-.:=@;$_!*'~&%?#]+", re.ASCII)


def checked_urn(urn: str) -> str:
    """Without the space around it. Raises ValueError."""
    urn = urn.strip()
    if not is_urn(urn):
        raise ValueError(f"must be a URN like urn:article:some-name, at most {LONGEST} characters long")
    return urn


def is_urn(name: str) -> bool:
    """As it is."""
    return len(name) <= LONGEST and _URN.fullmatch(name) is not None
