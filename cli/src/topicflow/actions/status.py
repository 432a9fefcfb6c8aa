"""`topicflow status`: shows the state of the system, once or every second."""

import asyncio

import typer
from rich.console import Console, Group, RenderableType
from rich.text import Text

from topicflow.actions.system_state import SystemState, read_state_and_health
from topicflow.client.api import ApiClient
from topicflow.errors import Unreachable
from topicflow.views.display import display_on
from topicflow.views.state_view import counts_row, facts, failures, gemini

REFRESH_SECONDS = 1.0


def status_view(state: SystemState, url: str) -> RenderableType:
    parts = [counts_row(state), Text(), facts(state, {"API": Text(url), "Gemini": gemini(state.simulated)})]
    if failed := failures(state):
        parts += [Text(), failed]
    return Group(*parts)


async def show_status(api: ApiClient, console: Console) -> None:
    console.print(status_view(await read_state_and_health(api), api.url))


async def watch_status(api: ApiClient, console: Console) -> None:
    """Runs until Ctrl-C. An API that goes away is reported and tolerated, except at the first request."""
    state = await read_state_and_health(api)
    view, line = status_view(state, api.url), state.line
    try:
        with display_on(console) as display:
            while True:
                display.show(view, line)
                await asyncio.sleep(REFRESH_SECONDS)
                try:
                    state = await read_state_and_health(api)
                except Unreachable as error:
                    view, line = Text(str(error), style="red"), str(error)
                else:
                    view, line = status_view(state, api.url), state.line
    finally:
        if console.is_terminal:
            console.print(view)  # keep the last state on screen


async def print_status(api: ApiClient) -> None:
    typer.echo((await api.get("/processing-status")).text)


async def watch_status_as_json(api: ApiClient) -> None:
    """Prints the route's response once a second, one line each."""
    while True:
        await print_status(api)
        await asyncio.sleep(REFRESH_SECONDS)
