"""Start and end of every service: settings, logs, waiting for the broker, and one line on a fatal error."""

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import structlog
import uvloop
from faststream import FastStream

from shared import __version__
from shared.errors import BrokerUnreachable, CannotGoOn, PositionsLost
from shared.messaging.broker import Provisioner
from shared.messaging.settings import BrokerSettings
from shared.observability import logs, metrics, tracing
from shared.resilience.backoff import until_it_answers
from shared.settings import unknown_names

log = structlog.get_logger()
S = TypeVar("S", bound=BrokerSettings)


def start(service: str, settings_type: type[S], main: Callable[[S, str], Coroutine[Any, Any, None]]) -> None:
    """Runs `main(settings, instance)` and exits the process with its exit code."""
    end_on_sigterm()
    try:
        settings = settings_type.load()
        instance = settings.instance(service)
        logs.set_up(service, instance, settings.log_level)
        tracing.set_up(service, instance)
        metrics.BUILD_INFO.labels(service, __version__).set(1)
        for name in unknown_names():
            log.warning("unknown_setting", name=name)
        collect_rarely()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main(settings, instance))
    except CannotGoOn as error:
        print(f"{service}: {error}", file=sys.stderr, flush=True)  # noqa: T201
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        tracing.shut_down()


def end_on_sigterm() -> None:
    """Until a server installs its own handler. Process 1 of a container has no default signal actions
    (pid_namespaces(7)), so the signal that uvicorn re-raises at its end would be lost, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())


def collect_rarely() -> None:
    """A batch is thousands of short-lived objects: collecting cycles in them took a sixth of the time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def wait_until_ready(transport: Provisioner, *settles: str) -> None:
    """Wait for the broker, then check that it is safe and create missing streams. Raises PositionsLost for the groups
    in `settles`; that of another group is only logged: its repair needs the API and the projector."""

    async def provision() -> None:
        await transport.check()
        try:
            if made := await transport.provision():
                log.info("provisioned", created=made)
        except PositionsLost as error:
            if set(settles).intersection(error.groups):
                raise
            log.error("positions_lost", error=str(error))

    await until_it_answers("broker", provision, BrokerUnreachable)


@asynccontextmanager
async def run_beside(
    app: FastStream, *coroutines: Coroutine[Any, Any, None]
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run these while the body runs; one that ends in an error stops the app, and is raised when the body is done."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    for task in tasks:
        task.add_done_callback(lambda _: app.exit())
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
