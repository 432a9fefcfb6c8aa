"""Makes untrusted text safe for a terminal: titles, model output, error messages."""

import unicodedata

_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_REPLACEMENT = "\ufffd"


def plain(value: object) -> str:
    """Text without control characters, bidirectional overrides and lone surrogates; line ends and tabs stay."""
    return "".join(_harmless(character) for character in str(value))


def one_line(value: object) -> str:
    return " ".join(plain(value).split())


def _harmless(character: str) -> str:
    if character in "\n\t":
        return character
    if character in _BIDI_CONTROLS or unicodedata.category(character) in {"Cc", "Cs"}:
        return _REPLACEMENT
    return character
