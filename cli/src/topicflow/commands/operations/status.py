"""`topicflow status`: its arguments."""

import asyncio
from typing import Annotated

import typer

from topicflow.actions.status import print_status, show_status, watch_status, watch_status_as_json
from topicflow.options import JsonOption, UrlOption, api_at
from topicflow.views.display import console_for


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Refresh on every change until Ctrl-C.")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Show the state of the system: counts, workers, what work is waiting for, recent failures."""

    async def command() -> None:
        async with api_at(url) as api:
            match watch, as_json:
                case False, False:
                    await show_status(api, console_for())
                case False, True:
                    await print_status(api)
                case True, False:
                    await watch_status(api, console_for())
                case _:
                    await watch_status_as_json(api)

    asyncio.run(command())
