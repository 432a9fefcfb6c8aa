"""`python -m api.admin.provision`, behind `topicflow provision`: creates or checks streams, groups and tables."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from api.admin.command_line import INTERRUPTED, UNREACHABLE, number, refuse, show, where_it_is
from api.admin.recover_group import recover
from shared.db.engine import Database, DatabaseUnreachable, alone, exists, open_access, open_reader, open_writer
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


def main() -> int:
    """Returns the exit code."""
    options = _parser().parse_args()
    try:
        return _run(ProvisionSettings.load(), options)
    except CannotGoOn as error:
        return refuse(error, error.exit_code)
    except KeyboardInterrupt:
        return refuse("interrupted: run it again to continue", INTERRUPTED)


def _run(settings: ProvisionSettings, options: argparse.Namespace) -> int:
    try:
        asyncio.run(Provisioning(settings, options).run())
    except BrokerUnreachable as error:
        return refuse(f"{error} (check TOPICFLOW_BROKER_URL)", UNREACHABLE)
    except DatabaseUnreachable as error:
        return refuse(f"{error} ({where_it_is(settings.database_url)})", UNREACHABLE)
    return 0


class Provisioning:
    def __init__(self, settings: ProvisionSettings, options: argparse.Namespace) -> None:
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
            if self._options.json:
                to_do = [step.text for step in steps if step.text not in done]
                show(json.dumps({"done": done, "to_do": to_do, "notes": list(plan.remarks)}))

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
        if not self._options.json:
            show(line)

    def _progress(self, line: str) -> None:
        """Prints a progress line on standard error, each once."""
        if line not in self._reported:
            self._reported.append(line)
            sys.stderr.write(line + "\n")


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
        with alone(url) as is_alone:
            if is_alone:
                yield
                return
        say("Another `topicflow provision` is running: waiting for it …")
        await asyncio.sleep(0.5)


def _parser() -> argparse.ArgumentParser:
    description = "Create or check streams, consumer groups and database tables. Idempotent."
    parser = argparse.ArgumentParser("topicflow provision", description=description)
    parser.add_argument("--dry-run", action="store_true", help="report what there is to do, change nothing")
    more = "add partitions to the streams of a running Kafka until each has N; the number can never be reduced"
    parser.add_argument("--partitions", type=number(1, 10_000), metavar="N", help=more)
    wait = "for a lost group: seconds for the status-projector to reach the end of the streams; default: 60"
    parser.add_argument("--wait-seconds", type=number(0, 86_400), default=60, metavar="N", help=wait)
    parser.add_argument("--json", action="store_true", help="JSON output, for scripts")
    return parser


if __name__ == "__main__":
    sys.exit(main())
