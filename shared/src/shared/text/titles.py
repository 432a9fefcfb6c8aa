"""Validates the title of a topic: one rule for clients and the API."""

import re

LONGEST_TITLE = 500  # characters
_FORBIDDEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")  # white space is allowed


def checked_title(value: str) -> str:
    """Returns the trimmed title. Raises ValueError with the reason."""
    title = value.strip()
    if not title:
        raise ValueError("a title must not be blank")
    if len(title) > LONGEST_TITLE:
        raise ValueError(f"a title must have at most {LONGEST_TITLE} characters, this one has {len(title)}")
    if _FORBIDDEN.search(title):
        raise ValueError("a title must not contain control characters or unpaired surrogates")
    return title
