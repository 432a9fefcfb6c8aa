"""`topicflow status`: shows the state of the system, once or whenever it changes."""

import asyncio
from contextlib import aclosing

import typer
from rich.console import Console, Group, RenderableType
from rich.text import Text

from topicflow.actions.changes import looks
from topicflow.actions.system_state import SystemState, read_state_and_health
from topicflow.client import AsyncClient
from topicflow.errors import Unreachable
from topicflow.views.display import display_on
from topicflow.views.state_view import counts_row, facts, failures, gemini

REFRESH_SECONDS = 1.0  # at least, between two looks


def status_view(state: SystemState, url: str) -> RenderableType:
    parts = [counts_row(state), Text(), facts(state, {"API": Text(url), "Gemini": gemini(state.simulated)})]
    if failed := failures(state):
        parts += [Text(), failed]
    return Group(*parts)


async def show_status(api: AsyncClient, console: Console) -> None:
    console.print(status_view(await read_state_and_health(api), api.url))


async def watch_status(api: AsyncClient, console: Console) -> None:
    """Runs until Ctrl-C. An API that goes away is reported and tolerated, except at the first request."""
    view: RenderableType | None = None
    try:
        with display_on(console) as display:
            async with aclosing(looks(api, (), REFRESH_SECONDS)) as changes:
                async for _ in changes:
                    try:
                        state = await read_state_and_health(api)
                        view, line = status_view(state, api.url), state.line
                    except Unreachable as error:
                        if view is None:
                            raise
                        view, line = Text(str(error), style="red"), str(error)
                    display.show(view, line)
    finally:
        if view is not None and console.is_terminal:
            console.print(view)  # keep the last state on screen


async def print_status(api: AsyncClient) -> None:
    typer.echo((await api.get("/processing-status")).text)


async def watch_status_as_json(api: AsyncClient) -> None:
    """Prints the route's response once a second, one line each; an API that goes away is tolerated after the first."""
    await print_status(api)
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        try:
            await print_status(api)
        except Unreachable as error:
            typer.echo(str(error), err=True)
