"""Options that several commands share, and the API that they lead to."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import httpx
import typer

from topicflow.api_client import ApiClient, answer_of, api_url
from topicflow.errors import WrongUse

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Where the API is. Without it: TOPICFLOW_URL, the `topicflow up` of this folder, or http://127.0.0.1:8000.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print what the API answered, for scripts.")]
TopicArgument = Annotated[str, typer.Argument(metavar="ID", help="The topic's id, or its title as it was submitted.")]


class Status(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


StatusOption = Annotated[
    Status | None,
    typer.Option("--status", metavar="STATUS", help="Only pending, processing, completed or failed ones."),
]
SearchOption = Annotated[
    str | None, typer.Option("--search", metavar="TEXT", help="Only those that contain this text.")
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most so many.")]


class ApiAnswer(NamedTuple):
    content: dict[str, Any]
    text: str  # the same, exactly as it was answered


def answer_from(url: str | None, call: Callable[[ApiClient], Awaitable[httpx.Response]]) -> ApiAnswer:
    """To one call."""

    async def command() -> ApiAnswer:
        async with api_at(url) as api:
            response = await call(api)
            return ApiAnswer(answer_of(response), response.text)

    return asyncio.run(command())


def api_at(url: str | None) -> ApiClient:
    """With the key that the environment gives, where it gives one."""
    return ApiClient(api_url(url, os.environ), _api_key())


def _api_key() -> str | None:
    """TOPICFLOW_API_KEY, or what is in the file that TOPICFLOW_API_KEY_FILE names."""
    key, path = os.environ.get("TOPICFLOW_API_KEY"), os.environ.get("TOPICFLOW_API_KEY_FILE")
    if not key and path:
        try:
            key = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUse(f"TOPICFLOW_API_KEY_FILE: cannot read {path}") from error
    if key and not (key.isascii() and key.isprintable()):
        raise WrongUse("TOPICFLOW_API_KEY is not a key: it has characters that a header cannot carry")
    return key or None
