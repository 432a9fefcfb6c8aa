"""Settings of the API that are lists."""

import pytest

from api.settings import origins_of


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", set()),
        ("http://localhost:3000", {"http://localhost:3000"}),
        (" https://App.example/ ,, http://127.0.0.1:80", {"https://app.example", "http://127.0.0.1"}),
        ("https://app.example:443,https://app.example", {"https://app.example"}),
        ("http://[::1]:3000", {"http://[::1]:3000"}),
    ],
)
def test_origins_are_those_that_browsers_send(text: str, origins: set[str]) -> None:
    assert origins_of(text) == origins


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "https://*.example",
        "app.example",
        "null",
        "ftp://x",
        "https://x/path",
        "https://x?y",
        "https://u@x",
        "http://[",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected origins such as"):
        origins_of(f"https://app.example, {text}")
