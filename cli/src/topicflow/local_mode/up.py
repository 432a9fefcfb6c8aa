"""`topicflow up`: what local mode consists of, in which order it starts, and what is said meanwhile."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_processes import ports
from local_processes.plain_text import one_line
from local_processes.stop_signals import StopSignals
from topicflow.actions.system_state import read_state
from topicflow.client.api import ApiClient
from topicflow.errors import Unreachable
from topicflow.local_mode import data_folder, valkey
from topicflow.local_mode.data_folder import DataFolder
from topicflow.local_mode.environments import ONE_EACH, LocalMode, enriches, gemini_is_configured
from topicflow.local_mode.external_services import BROKER_URL, DATABASE_URL, ExternalService, settings_of
from topicflow.local_mode.next_steps import next_steps
from topicflow.local_mode.race import race
from topicflow.local_mode.supervisor import Supervisor
from topicflow.local_mode.view import UpView
from topicflow.local_mode.watch import Watch
from topicflow.views.display import Display

SHOULD_TAKE, TAKES_LONG = 4.0, 20.0  # seconds; then it is said what is waited for, and where to look


@dataclass(frozen=True, slots=True)
class Up:
    port: int
    data: Path
    titles: Sequence[str]  # submitted once it is ready
    workers: int
    broker: ExternalService | None  # None: its own
    database: ExternalService | None
    environment: Mapping[str, str]
    display: Display

    @property
    def url(self) -> str:
        return f"http://{ports.LOOPBACK}:{self.port}"

    async def run(self) -> None:
        """Until Ctrl-C or SIGTERM, which are its normal end. Raises WrongUse or InUse where it cannot start."""
        os.umask(0o077)
        with StopSignals() as signals:
            await race(signals.requested(), self._live(signals))

    async def _live(self, signals: StopSignals) -> None:
        async with data_folder.held(self.data, self.display.say) as folder:
            ports.refuse_busy(self.port)
            for name in sorted(ONE_EACH & self.environment.keys()):
                self.display.say(f"{name} is set, but all of its services would take that port: ignored")
            self.display.say(f"Starting topicflow on {folder.path} …")
            broker = self.broker.shown if self.broker else "a Valkey of its own"
            database = self.database.shown if self.database else "SQLite in that folder"
            self.display.say(f"Broker: {broker}; database: {database}")
            with folder.remembering(self.url):
                async with Supervisor(folder, self.display.say) as supervisor:
                    signals.insist = supervisor.kill
                    await race(supervisor.refused(), self._run_on(folder, supervisor))

    async def _run_on(self, folder: DataFolder, supervisor: Supervisor) -> None:
        simulated = not gemini_is_configured(self.environment)
        await self._start(folder, supervisor, simulated)
        async with ApiClient(self.url) as api:
            await self._until_ready(api, folder)
            kept = "the broker and the database" if self.broker or self.database else str(folder.path)
            for line in next_steps(self.url, folder.path, self.environment, kept=kept, remarks=self._remarks):
                self.display.say(line)
            view = UpView(self.url, folder.logs, simulated)
            await Watch(api, self.display, view).run(self.titles)

    async def _start(self, folder: DataFolder, supervisor: Supervisor, simulated: bool) -> None:
        """The services start together as soon as its own broker is there, and wait for one that is not its own;
        stopping goes the other way round."""
        own = None if self.broker else valkey.prepare(folder.valkey, ports.free_port())
        mode = LocalMode(
            self.environment,
            broker={BROKER_URL: own.url} if own else settings_of(self.broker),
            database=settings_of(self.database) or {DATABASE_URL: folder.database_url},
            port=self.port,
            simulator_port=ports.free_port() if simulated else None,
            catalog_port=ports.free_port() if self._has_simulator_for_catalog else None,
            enriches=enriches(self.environment),
            instances="" if own else ports.name_of_this_one(self.port),
        )
        if own:
            supervisor.start(own.program(mode.without_secrets()))
        if simulated:
            supervisor.start(mode.simulator())
        if mode.catalog_port:
            supervisor.start(mode.catalog_simulator(folder.path / "catalog.db"))
        if own:
            await own.wait_until_it_answers()
        workers = [mode.topic_worker(number) for number in range(1, self.workers + 1)]
        enrichers = [mode.enricher()] if mode.enriches else []
        for program in (mode.status_projector(), *workers, *enrichers, mode.api()):
            supervisor.start(program)

    @property
    def _remarks(self) -> list[str]:
        simulated = "Gemini is simulated: no GEMINI_API_KEY is set, so a simulator writes cards and annotations"
        if not enriches(self.environment):
            articles = "Articles are off: DATA_API_URL or ENABLE_BACKGROUND_WORKER=true turns them on"
        elif self._has_simulator_for_catalog:
            articles = "The catalogue of articles is simulated: no DATA_API_URL is set, so a simulator has some"
        else:
            articles = f"Articles are those of the catalogue at {one_line(self.environment['DATA_API_URL'])}"
        return [articles] if gemini_is_configured(self.environment) else [simulated, articles]

    @property
    def _has_simulator_for_catalog(self) -> bool:
        return enriches(self.environment) and not self.environment.get("DATA_API_URL")

    async def _until_ready(self, api: ApiClient, folder: DataFolder) -> None:
        """Says once what is waited for, and where to look when it takes long."""
        began = time.monotonic()
        already_said: set[str] = set()

        def say_once(line: str) -> None:
            if line not in already_said:
                already_said.add(line)
                self.display.say(line)

        while (missing := await _lacks(api)) != []:
            waited = time.monotonic() - began
            if missing and waited > SHOULD_TAKE:  # without a broker the database is not made either
                say_once(f"Waiting for the {missing[0]}: {folder.logs}/api.log says why")
            if waited > TAKES_LONG:
                say_once(f"Not ready yet; what keeps it is in {folder.logs}")
            await asyncio.sleep(0.05)


async def _lacks(api: ApiClient) -> list[str] | None:
    """[] when the API answers, has what it needs and knows a live worker; None where nobody can tell."""
    try:
        return await api.missing() or ([] if (await read_state(api)).worker_is_running else None)
    except Unreachable:
        return None
