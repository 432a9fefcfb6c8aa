"""`topicflow up`: starts the parts of local mode in order and reports progress."""

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
from topicflow.client import AsyncClient
from topicflow.errors import Unreachable
from topicflow.local_mode import data_folder, valkey
from topicflow.local_mode.data_folder import DataFolder
from topicflow.local_mode.environments import PER_PROCESS, LocalMode, enriches, gemini_is_configured
from topicflow.local_mode.external_services import BROKER_URL, DATABASE_URL, ExternalService, settings_of
from topicflow.local_mode.next_steps import next_steps
from topicflow.local_mode.race import race
from topicflow.local_mode.supervisor import Supervisor
from topicflow.local_mode.view import UpView
from topicflow.local_mode.watch import Watch
from topicflow.views.display import Display

NOTICE_AFTER, WARN_AFTER = 4.0, 20.0  # seconds of starting


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
        """Returns on Ctrl-C or SIGTERM. Raises WrongUse or InUse if it cannot start."""
        os.umask(0o077)
        with StopSignals() as signals:
            await race(signals.requested(), self._run(signals))

    async def _run(self, signals: StopSignals) -> None:
        async with data_folder.locked(self.data, self.display.say) as folder:
            ports.require_free(self.port)
            for name in sorted(PER_PROCESS & self.environment.keys()):
                self.display.say(f"{name} is ignored: all services would use the same port")
            self.display.say(f"Starting topicflow on {folder.path} …")
            broker = self.broker.display_url if self.broker else "Valkey, started here"
            database = self.database.display_url if self.database else "SQLite in the data folder"
            self.display.say(f"Broker: {broker}; database: {database}")
            with folder.publish_url(self.url):
                async with Supervisor(folder, self.display.say) as supervisor:
                    signals.on_second_interrupt = supervisor.kill
                    await race(supervisor.refused(), self._run_services(folder, supervisor))

    async def _run_services(self, folder: DataFolder, supervisor: Supervisor) -> None:
        simulated = not gemini_is_configured(self.environment)
        await self._start(folder, supervisor, simulated)
        async with AsyncClient(self.url) as api:
            await self._wait_until_ready(api, folder)
            storage = "the broker and the database" if self.broker or self.database else str(folder.path)
            for line in next_steps(self.url, folder.path, self.environment, storage=storage, remarks=self._remarks):
                self.display.say(line)
            view = UpView(self.url, folder.logs, simulated)
            await Watch(api, self.display, view).run(self.titles)

    async def _start(self, folder: DataFolder, supervisor: Supervisor, simulated: bool) -> None:
        """The services start together once our own Valkey is ready; they wait for an external broker themselves. The
        supervisor stops them in reverse order."""
        own_broker = None if self.broker else valkey.prepare(folder.valkey, ports.free_port())
        mode = LocalMode(
            self.environment,
            broker={BROKER_URL: own_broker.url} if own_broker else settings_of(self.broker),
            database=settings_of(self.database) or {DATABASE_URL: folder.database_url},
            port=self.port,
            simulator_port=ports.free_port() if simulated else None,
            catalog_port=ports.free_port() if self._simulates_catalog else None,
            enriches=enriches(self.environment),
            instance_prefix="" if own_broker else ports.instance_prefix(self.port),
        )
        if own_broker:
            supervisor.start(own_broker.program(mode.without_secrets()))
        if simulated:
            supervisor.start(mode.simulator())
        if mode.catalog_port:
            supervisor.start(mode.catalog_simulator(folder.path / "catalog.db"))
        if own_broker:
            await own_broker.wait_until_ready()
        workers = [mode.topic_worker(number) for number in range(1, self.workers + 1)]
        enrichers = [mode.enricher()] if mode.enriches else []
        for program in (mode.status_projector(), *workers, *enrichers, mode.api()):
            supervisor.start(program)

    @property
    def _remarks(self) -> list[str]:
        simulated = "Gemini is simulated: GEMINI_API_KEY is not set, so a simulator generates cards and annotations"
        if not enriches(self.environment):
            articles = "Articles are off: set DATA_API_URL or ENABLE_BACKGROUND_WORKER=true to turn them on"
        elif self._simulates_catalog:
            articles = "The article catalogue is simulated: DATA_API_URL is not set"
        else:
            articles = f"Article catalogue: {one_line(self.environment['DATA_API_URL'])}"
        return [articles] if gemini_is_configured(self.environment) else [simulated, articles]

    @property
    def _simulates_catalog(self) -> bool:
        return enriches(self.environment) and not self.environment.get("DATA_API_URL")

    async def _wait_until_ready(self, api: AsyncClient, folder: DataFolder) -> None:
        """Reports once what is missing, and where to look if it takes long."""
        started_at = time.monotonic()
        reported: set[str] = set()

        def say_once(line: str) -> None:
            if line not in reported:
                reported.add(line)
                self.display.say(line)

        while (missing := await _missing_dependencies(api)) != []:
            waited = time.monotonic() - started_at
            if missing and waited > NOTICE_AFTER:  # the first only: without a broker there is no database either
                say_once(f"Waiting for the {missing[0]}: see {folder.logs}/api.log")
            if waited > WARN_AFTER:
                say_once(f"Not ready yet: see the logs in {folder.logs}")
            await asyncio.sleep(0.05)


async def _missing_dependencies(api: AsyncClient) -> list[str] | None:
    """[] if the API is ready and a worker is running; None while unknown."""
    try:
        return await api.missing() or ([] if (await read_state(api)).worker_is_running else None)
    except Unreachable:
        return None
