"""The running part of `topicflow up`: shows the state every second and submits the titles of `--submit`."""

import asyncio
import dataclasses
from collections.abc import Sequence

from topicflow.actions.follow_topics import FollowedTopics
from topicflow.actions.submit import submit
from topicflow.actions.system_state import read_state_and_health
from topicflow.client import AsyncClient
from topicflow.errors import CommandError, Unreachable
from topicflow.local_mode.race import race
from topicflow.local_mode.view import UpView
from topicflow.views.display import Display
from topicflow.views.sending import Sending

POLL_INTERVAL = 1.0  # seconds
MAX_FAILURES_SHOWN = 10


class Watch:
    def __init__(self, api: AsyncClient, display: Display, view: UpView) -> None:
        self._api = api
        self._display = display
        self._view = view

    async def run(self, titles: Sequence[str]) -> None:
        """Never returns."""
        with self._display:
            await race(self._poll(), self._submit_and_follow(titles))

    async def _poll(self) -> None:
        while True:
            try:
                self._show(state=await read_state_and_health(self._api))
            except CommandError:
                self._show(state=None)
            await asyncio.sleep(POLL_INTERVAL)

    async def _submit_and_follow(self, titles: Sequence[str]) -> None:
        try:
            if titles:
                await self._follow(titles)
        except CommandError as error:
            self._display.say(f"Not submitted: {error}" if not isinstance(error, Unreachable) else str(error))
        await asyncio.Event().wait()

    async def _follow(self, titles: Sequence[str]) -> None:
        sending = Sending(len(titles), "titles", lambda now: self._show(progress=now))
        submitted = await submit(self._api, titles, sending)
        self._display.say(submitted.line)
        followed = FollowedTopics(self._api, submitted.topics)
        async for progress in followed.progress(patience=float("inf")):
            self._show(progress=progress)
            if progress.is_over:
                self._display.say(progress.line)
        for line in followed.failure_lines(MAX_FAILURES_SHOWN):
            self._display.say(line)

    def _show(self, **changes: object) -> None:
        self._view = dataclasses.replace(self._view, **changes)  # type: ignore[arg-type]
        self._display.show(self._view.panel, self._view.line)
