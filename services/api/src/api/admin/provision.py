"""`topicflow provision`: creates or checks streams, groups and tables."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

import typer

from api.admin.command_line import INTERRUPTED, UNREACHABLE, JsonOption, refused, where_it_is
from api.admin.recover_group import recover
from shared.db.engine import Database, DatabaseUnreachable, exists, open_access, open_reader, open_writer, try_lock
from shared.db.migrate import migrate, newest_revision, revision
from shared.errors import BrokerUnreachable, CannotGoOn
from shared.messaging import connect
from shared.messaging.broker import Transport
from shared.messaging.provisioning import Lost, Step
from shared.messaging.settings import BrokerSettings
from shared.settings import DatabaseSettings

T = TypeVar("T")
SCHEMAS: dict[str, Callable[[str], Database]] = {"projection": open_writer, "access": open_access}


class ProvisionSettings(BrokerSettings, DatabaseSettings): ...


def provision(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report what there is to do without changing anything.")
    ] = False,
    partitions: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000,
            metavar="N",
            help="Add partitions to the streams of a running Kafka until each has N; the number can never be reduced.",
        ),
    ] = None,
    wait_seconds: Annotated[
        int,
        typer.Option(
            min=0,
            max=86_400,
            metavar="N",
            help="For a lost group: seconds for the status-projector to reach the end of the streams.",
        ),
    ] = 60,
    as_json: JsonOption = False,
) -> None:
    """Create or check streams, consumer groups and database tables; add partitions; recover a lost group.

    Running it again changes nothing.
    """
    try:
        settings = ProvisionSettings.load()
        _run(settings, Provisioning(settings, Options(dry_run, partitions, wait_seconds, as_json)))
    except CannotGoOn as error:
        raise refused(error, error.exit_code) from None
    except KeyboardInterrupt:
        raise refused("interrupted: run it again to continue", INTERRUPTED) from None


def _run(settings: ProvisionSettings, provisioning: "Provisioning") -> None:
    """Raises typer.Exit, CannotGoOn."""
    try:
        asyncio.run(provisioning.run())
    except BrokerUnreachable as error:
        raise refused(f"{error} (check TOPICFLOW_BROKER_URL)", UNREACHABLE) from None
    except DatabaseUnreachable as error:
        raise refused(f"{error} ({where_it_is(settings.database_url)})", UNREACHABLE) from None


@dataclass(frozen=True, slots=True)
class Options:
    dry_run: bool
    partitions: int | None
    wait_seconds: int
    as_json: bool


class Provisioning:
    def __init__(self, settings: ProvisionSettings, options: Options) -> None:
        self._settings = settings
        self._url = settings.database_url
        self._options = options
        self._reported: list[str] = []

    async def run(self) -> None:
        transport = connect(self._settings)
        try:
            await transport.check()
            if self._options.dry_run:
                await self._carry_out(transport)
            else:
                async with _exclusively(self._url, self._progress):
                    await self._carry_out(transport)
        finally:
            await transport.close()

    async def _carry_out(self, transport: Transport) -> None:
        """Runs the steps in order of dependency; completed steps are reported even if a later one fails."""
        plan = await transport.plan(self._options.partitions)
        recoveries = [self._recovery(lost, transport) for lost in plan.lost]
        steps = [*await _schemas(self._url), *plan.streams, *plan.groups, *recoveries, *plan.changes]
        done: list[str] = []
        try:
            for remark in plan.remarks:
                self._show(f"note: {remark}")
            for step in steps:
                if self._options.dry_run:
                    self._show(f"to do: {step.text}")
                elif await step.do():
                    done.append(step.text)
                    self._show(f"done: {step.text}")
            if not steps:
                self._show("nothing to do")
        finally:
            if self._options.as_json:
                to_do = [step.text for step in steps if step.text not in done]
                typer.echo(json.dumps({"done": done, "to_do": to_do, "notes": list(plan.remarks)}))

    def _recovery(self, lost: Lost, transport: Transport) -> Step:
        async def do() -> bool:
            await _on(
                open_reader(self._url),
                lambda database: recover(lost, transport, database, self._progress, self._options.wait_seconds),
            )
            return True

        text = f"requeue the unfinished work of {lost.group} on {lost.stream} and set the group's positions"
        return Step(text, do)

    def _show(self, line: str) -> None:
        if not self._options.as_json:
            typer.echo(line)

    def _progress(self, line: str) -> None:
        """Prints a progress line on standard error, each once."""
        if line not in self._reported:
            self._reported.append(line)
            typer.echo(line, err=True)


async def _schemas(url: str) -> Sequence[Step]:
    """The pending migrations."""
    steps = []
    for schema, open_ in SCHEMAS.items():
        newest = newest_revision(schema)
        now = await _on(open_(url), partial(revision, schema=schema)) if exists(url, schema) else None
        if now != newest:
            text = f"bring the database's {schema} tables to version {newest} (now: {now or 'none'})"
            steps.append(Step(text, partial(_migrate, url, schema)))
    return steps


async def _migrate(url: str, schema: str) -> bool:
    await _on(SCHEMAS[schema](url), partial(migrate, schema=schema))
    return True


async def _on(database: Database, call: Callable[[Database], Awaitable[T]]) -> T:
    try:
        return await call(database)
    finally:
        await database.close()


@asynccontextmanager
async def _exclusively(url: str, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Waits for other runs: two that requeue the same submissions would pay for them twice."""
    while True:
        with try_lock(url) as acquired:
            if acquired:
                yield
                return
        say("Another `topicflow provision` is running: waiting for it …")
        await asyncio.sleep(0.5)
