"""Builds and runs the topic-worker: a member of the consumer group that generates study cards for titles."""

from contextlib import AsyncExitStack
from functools import partial
from math import ceil

from shared.events import TopicSubmitted
from shared.llm.daily_limits import DailyLimits
from shared.llm.gemini import Gemini
from shared.llm.rate_limit import RateLimiter
from shared.observability import metrics
from shared.service.ops_server import Ops, serving
from shared.streams import TOPIC_WORKER
from shared.worker.handlers import Handlers
from shared.worker.runtime import Worker
from topic_worker.generate_topics import TopicGenerator
from topic_worker.on_topic_submitted import OnTopicSubmitted
from topic_worker.settings import WorkerSettings


async def main(settings: WorkerSettings, instance: str) -> None:
    ops = Ops(metrics.WORKER)
    async with serving(ops, settings), AsyncExitStack() as opened:
        worker = Worker(TOPIC_WORKER, instance, settings, opened)
        [consumer] = await worker.join(TOPIC_WORKER)
        calls = ceil(settings.in_flight / settings.batch_size)
        gemini = Gemini.of(settings, calls)
        opened.push_async_callback(gemini.close)
        allowance = DailyLimits(settings.daily_limits, "topic")
        prices = settings.prices
        generator = TopicGenerator(
            gemini,
            batch_size=settings.batch_size,
            calls=calls,
            pace=RateLimiter(settings.quota, allowance, consumer.group_share),
            prices=prices,
        )
        worker.consume(consumer, Handlers().on(TopicSubmitted, OnTopicSubmitted(generator)))
        await worker.run(ops, allowance.on_usage_event, partial(gemini.heartbeat, prices), gemini.detect_simulator)
