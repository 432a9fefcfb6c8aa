"""What may be the title of a topic: one rule for whoever submits titles and whoever takes them."""

import re

LONGEST_TITLE = 500  # characters
_REFUSED = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")  # but white space is welcome


def checked_title(value: str) -> str:
    """Trimmed. Raises ValueError with what is wrong with it."""
    title = value.strip()
    if not title:
        raise ValueError("a title must not be blank")
    if len(title) > LONGEST_TITLE:
        raise ValueError(f"a title must have at most {LONGEST_TITLE} characters, this one has {len(title)}")
    if _REFUSED.search(title):
        raise ValueError("a title must not contain control characters or unpaired surrogates")
    return title
