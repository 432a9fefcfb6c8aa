"""`topicflow status`: where everything stands, once or every second."""

import asyncio

import typer
from rich.console import Console, Group, RenderableType
from rich.text import Text

from topicflow.actions.system_state import SystemState, read_state_and_health
from topicflow.client.api import ApiClient
from topicflow.errors import Unreachable
from topicflow.views.display import display_on
from topicflow.views.state_view import counts_row, facts, failures, gemini

LOOKS_APART = 1.0  # seconds


def picture(state: SystemState, url: str) -> RenderableType:
    parts = [counts_row(state), Text(), facts(state, {"API": Text(url), "Gemini": gemini(state.simulated)})]
    if failed := failures(state):
        parts += [Text(), failed]
    return Group(*parts)


async def show_status(api: ApiClient, console: Console) -> None:
    console.print(picture(await read_state_and_health(api), api.url))


async def watch_status(api: ApiClient, console: Console) -> None:
    """Until Ctrl-C. An API that is gone for a while is said, not fatal; at the start it is."""
    state = await read_state_and_health(api)
    shown, line = picture(state, api.url), state.line
    try:
        with display_on(console) as display:
            while True:
                display.show(shown, line)
                await asyncio.sleep(LOOKS_APART)
                try:
                    state = await read_state_and_health(api)
                except Unreachable as error:
                    shown, line = Text(str(error), style="red"), str(error)
                else:
                    shown, line = picture(state, api.url), state.line
    finally:
        if console.is_terminal:
            console.print(shown)  # what was seen last stays


async def print_status(api: ApiClient) -> None:
    typer.echo((await api.get("/processing-status")).text)


async def watch_status_as_json(api: ApiClient) -> None:
    """The route's answer, a line a second."""
    while True:
        await print_status(api)
        await asyncio.sleep(LOOKS_APART)
