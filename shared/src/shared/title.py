"""What may be the title of a topic: one rule for whoever submits titles and whoever takes them."""

import unicodedata

LONGEST_TITLE = 500  # characters


def checked_title(value: str) -> str:
    """Trimmed. Raises ValueError with what is wrong with it."""
    title = value.strip()
    if not title:
        raise ValueError("a title must not be blank")
    if len(title) > LONGEST_TITLE:
        raise ValueError(f"a title has at most {LONGEST_TITLE} characters, this one has {len(title)}")
    if any(unicodedata.category(character) in {"Cc", "Cs"} and not character.isspace() for character in title):
        raise ValueError("a title must not have control characters or halves of surrogate pairs")
    return title
