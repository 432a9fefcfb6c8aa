"""Builds the topic-worker and runs it: one member of the group that turns submitted titles into study cards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from math import ceil
from typing import Any

import structlog
from faststream import FastStream

from shared import metrics
from shared.allowance import Allowance
from shared.heartbeat import beat
from shared.llm import Gemini
from shared.ops import Ops, serving
from shared.pace import Pace
from shared.progress import NotReady
from shared.retry import Policy
from shared.service import reach, run_beside
from shared.streams import TOPIC_WORKER
from shared.transport import connect
from shared.transport.settle import Limits, Settlement
from topic_worker.generate_topics import TopicGenerator
from topic_worker.on_topic_submitted import OnTopicSubmitted
from topic_worker.settings import WorkerSettings

GROUP = TOPIC_WORKER
ASK_AGAIN = 5.0  # seconds
log = structlog.get_logger()


async def main(settings: WorkerSettings, instance: str) -> None:
    ops = Ops(metrics.WORKER)
    async with serving(ops, settings), AsyncExitStack() as opened:
        await work(settings, instance, ops, opened)


async def work(settings: WorkerSettings, instance: str, ops: Ops, opened: AsyncExitStack) -> None:
    """What it opens is closed when `opened` is, however this ends."""
    transport = connect(settings)
    opened.push_async_callback(transport.close)
    await reach(transport, GROUP)
    gemini = Gemini(
        keys=settings.keys,
        own_projects=settings.own_projects,
        model=settings.model,
        base_url=settings.base_url,
        timeout_seconds=settings.call_timeout_seconds,
    )
    opened.push_async_callback(gemini.close)
    consumer = await transport.consumer(GROUP, instance)
    opened.push_async_callback(consumer.close)
    allowance = Allowance(settings.daily_limits, "topic")
    generator = generator_of(settings, gemini, Pace(settings.quota, allowance, consumer.share))
    settlement = Settlement(
        consumer,
        OnTopicSubmitted(generator),
        worker=instance,
        limits=Limits(settings.in_flight, settings.held_seconds, settings.stop_seconds),
        policy=Policy(longest_pause=settings.longest_pause),
    )

    async def gets_on() -> None:
        settlement.progress.check()
        if error := settlement.outbox.broker_error:
            raise NotReady(f"outcomes wait to be stored: {error}")

    ops.checks = [gets_on, partial(transport.lag, GROUP)]
    ops.before_scrape = partial(show_now, settlement)

    def now() -> dict[str, Any]:
        return {
            "in_flight": settlement.in_flight,
            "processed": settlement.processed,
            "failed": settlement.failed,
            "waiting_for": settlement.gate.waiting_for,
            "simulated": generator.simulated,
        }

    may_begin = asyncio.Event()

    async def settle() -> None:
        """What it is told comes before what it does."""
        await may_begin.wait()
        await settlement.run()

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        probe = asyncio.create_task(learn_whether_simulated(gemini, generator, settings.model))
        told = transport.follow_control(allowance.note, may_begin.set)
        async with run_beside(app, settle(), told, beat(transport, GROUP, instance, now)) as (settling, *_):
            try:
                yield
            finally:
                settlement.stop()
                may_begin.set()
                await asyncio.wait([settling])
                probe.cancel()

    app = FastStream(transport.shell(), lifespan=lifespan, logger=None)
    await app.run()


def generator_of(settings: WorkerSettings, gemini: Gemini, pace: Pace) -> TopicGenerator:
    return TopicGenerator(
        gemini,
        batch_size=settings.batch_size,
        calls=ceil(settings.in_flight / settings.batch_size),
        pace=pace,
        prices=settings.prices,
    )


async def learn_whether_simulated(gemini: Gemini, generator: TopicGenerator, model: str) -> None:
    """Whoever answers the first call says it too."""
    while generator.simulated is None:
        if (simulated := await gemini.is_simulated()) is not None:
            generator.simulated = simulated
            log.info("Gemini answers", simulated=simulated, model=model)
        else:
            await asyncio.sleep(ASK_AGAIN)


def show_now(settlement: Settlement) -> None:
    waiting = settlement.gate.waiting_for
    seconds = (datetime.now(UTC) - waiting.since).total_seconds() if waiting else 0.0
    metrics.IN_FLIGHT.show({(): settlement.in_flight})
    metrics.WAITING.show({(waiting.reason,): seconds} if waiting else {})
