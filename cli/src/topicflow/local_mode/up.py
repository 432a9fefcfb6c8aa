"""`topicflow up`: what local mode consists of, in which order it starts, and what is said meanwhile."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from topicflow.api_client import ApiClient
from topicflow.errors import Unreachable
from topicflow.first_of import first_of
from topicflow.local_mode import data_folder, ports, valkey
from topicflow.local_mode.data_folder import DataFolder
from topicflow.local_mode.environments import ONE_EACH, REPLACED, LocalMode, gemini_is_configured
from topicflow.local_mode.next_steps import next_steps
from topicflow.local_mode.picture import UpPicture
from topicflow.local_mode.stop_signals import StopSignals
from topicflow.local_mode.supervisor import Supervisor
from topicflow.local_mode.watch import Watch
from topicflow.screen.display import Display
from topicflow.system_state import read_state

TAKES_LONG = 20.0  # seconds; then it is said where to look


@dataclass(frozen=True, slots=True)
class Up:
    port: int
    data: Path
    titles: Sequence[str]  # submitted once it is ready
    environment: Mapping[str, str]
    display: Display

    @property
    def url(self) -> str:
        return f"http://{ports.LOOPBACK}:{self.port}"

    async def run(self) -> None:
        """Until Ctrl-C or SIGTERM, which are its normal end. Raises WrongUse or InUse where it cannot start."""
        os.umask(0o077)
        with StopSignals() as signals:
            await first_of(signals.asked(), self._live(signals))

    async def _live(self, signals: StopSignals) -> None:
        async with data_folder.held(self.data, self.display.say) as folder:
            ports.refuse_busy(self.port)
            for name in sorted(REPLACED & self.environment.keys()):
                self.display.say(f"{name} is set, but local mode runs its own: ignored")
            for name in sorted(ONE_EACH & self.environment.keys()):
                self.display.say(f"{name} is set, but all of its services would take that port: ignored")
            self.display.say(f"Starting topicflow on {folder.path} …")
            with folder.remembering(self.url):
                async with Supervisor(folder, self.display.say) as supervisor:
                    signals.insist = supervisor.kill
                    await first_of(supervisor.refused(), self._run_on(folder, supervisor))

    async def _run_on(self, folder: DataFolder, supervisor: Supervisor) -> None:
        simulated = not gemini_is_configured(self.environment)
        await self._start(folder, supervisor, simulated)
        async with ApiClient(self.url) as api:
            await self._until_ready(api, folder)
            for line in next_steps(self.url, folder.path, self.environment, simulated=simulated):
                self.display.say(line)
            picture = UpPicture(self.url, folder.logs, simulated)
            await Watch(api, self.display, picture).run(self.titles)

    async def _start(self, folder: DataFolder, supervisor: Supervisor, simulated: bool) -> None:
        """The services start together as soon as there is a broker; stopping goes the other way round."""
        broker = valkey.prepare(folder.valkey, ports.free_port())
        mode = LocalMode(
            self.environment,
            broker_url=broker.url,
            database_url=folder.database_url,
            port=self.port,
            stand_in_port=ports.free_port() if simulated else None,
        )
        supervisor.start(broker.program(mode.without_secrets()))
        if simulated:
            supervisor.start(mode.stand_in())
        await broker.wait_until_it_answers()
        for program in (mode.status_projector(), mode.topic_worker(), mode.api()):
            supervisor.start(program)

    async def _until_ready(self, api: ApiClient, folder: DataFolder) -> None:
        began = time.monotonic()
        patient = True
        while not await _is_ready(api):
            await asyncio.sleep(0.05)
            if patient and time.monotonic() - began > TAKES_LONG:
                self.display.say(f"Not ready yet; what keeps it is in {folder.logs}")
                patient = False


async def _is_ready(api: ApiClient) -> bool:
    """The API answers and knows a live worker."""
    try:
        return await api.is_ready() and (await read_state(api)).worker_is_running
    except Unreachable:
        return False
