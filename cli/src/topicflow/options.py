"""Options that several commands share, and the API client that they configure."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import httpx
import typer

from topicflow.client.api import DEFAULT_URL, ApiClient, answer_of, base_url
from topicflow.client.async_client import AsyncClient
from topicflow.errors import WrongUse
from topicflow.local_mode import data_folder

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="API base URL. Default: $TOPICFLOW_URL, then the instance running in this folder, then http://127.0.0.1:8000.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the API's JSON response, for scripts.")]
TopicArgument = Annotated[str, typer.Argument(metavar="ID", help="The topic's id, or its title as submitted.")]


class Status(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


StatusOption = Annotated[
    Status | None,
    typer.Option("--status", metavar="STATUS", help="Filter by status: pending, processing, completed or failed."),
]
SearchOption = Annotated[str | None, typer.Option("--search", metavar="TEXT", help="Filter by text in the name.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, metavar="N", help="Maximum number of results.")]


class ApiAnswer(NamedTuple):
    content: dict[str, Any]
    text: str  # the same, as received


def answer_from(url: str | None, call: Callable[[ApiClient], Awaitable[httpx.Response]]) -> ApiAnswer:
    """The response to a single API call."""

    async def command() -> ApiAnswer:
        async with api_at(url) as api:
            response = await call(api)
            return ApiAnswer(answer_of(response), response.text)

    return asyncio.run(command())


def api_at(url: str | None) -> AsyncClient:
    """A client that sends the API key of the environment, if there is one."""
    return AsyncClient(api_url(url, os.environ), _api_key())


def api_url(option: str | None, environment: Mapping[str, str]) -> str:
    """`--url`, then TOPICFLOW_URL, then the instance running on the data folder, then port 8000 of this machine."""
    if given := option or environment.get("TOPICFLOW_URL"):
        return base_url(given)
    return data_folder.running_url(Path(environment.get("TOPICFLOW_DATA") or data_folder.DEFAULT)) or DEFAULT_URL


def _api_key() -> str | None:
    """TOPICFLOW_API_KEY, or the content of the file named by TOPICFLOW_API_KEY_FILE."""
    key, path = os.environ.get("TOPICFLOW_API_KEY"), os.environ.get("TOPICFLOW_API_KEY_FILE")
    if not key and path:
        try:
            key = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUse(f"TOPICFLOW_API_KEY_FILE: cannot read {path}") from error
    if key and not (key.isascii() and key.isprintable()):
        raise WrongUse("TOPICFLOW_API_KEY is not a key: it contains characters that are not allowed in an HTTP header")
    return key or None
