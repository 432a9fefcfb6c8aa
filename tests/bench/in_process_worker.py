"""The topic-worker with an LLM that answers in the process: the cost of the work around the calls.

`python -m bench.in_process_worker [SECONDS]`: how long each call takes.
"""

import asyncio
import signal
import sys
from math import ceil
from typing import Any

import uvloop

from bench.card import answer
from shared.events import TopicSubmitted
from shared.llm.daily_limits import NO_LIMIT, DailyLimits
from shared.llm.gemini import Answer
from shared.llm.prices import Prices
from shared.llm.rate_limit import Quota, RateLimiter
from shared.messaging import connect
from shared.messaging.settings import BrokerSettings
from shared.observability import logs
from shared.service.bootstrap import collect_rarely, wait_until_ready
from shared.service.heartbeat import beat
from shared.worker.consumer_loop import ConsumerLoop, Limits
from shared.worker.handlers import Handlers
from topic_worker.generate_topics import TopicGenerator
from topic_worker.on_topic_submitted import OnTopicSubmitted

GROUP = "topic-worker"
IN_FLIGHT = 30  # titles, as by default
A_CALL = 5


class InProcess:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def generate(self, *, instructions: str, data: str, schema: dict[str, Any], items: int = 1) -> Answer:
        if self._seconds:
            await asyncio.sleep(self._seconds)
        return Answer(answer(data), "STOP", None, "in-process", 100, 100, 0, 0, self._seconds, simulated=True)


async def main(seconds: float) -> None:
    settings = BrokerSettings.load()
    instance = settings.instance(GROUP)
    logs.set_up(GROUP, instance)
    collect_rarely()
    transport = connect(settings)
    await wait_until_ready(transport, GROUP)
    consumer = await transport.consumer(GROUP, instance)
    calls = ceil(IN_FLIGHT / A_CALL)
    pace = RateLimiter(Quota(), DailyLimits(NO_LIMIT, "topic"), consumer.group_share)
    prices = Prices.of("in-process=0.3/2.5", "in-process")
    generator = TopicGenerator(InProcess(seconds), batch_size=A_CALL, calls=calls, pace=pace, prices=prices)
    handlers = Handlers().on(TopicSubmitted, OnTopicSubmitted(generator))
    loop = ConsumerLoop(consumer, handlers, worker=instance, limits=Limits(IN_FLIGHT))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, loop.stop)
    heart = asyncio.create_task(beat(transport, GROUP, instance))
    await loop.run()
    heart.cancel()
    await consumer.close()
    await transport.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
