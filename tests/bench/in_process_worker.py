"""The topic-worker as it is, with an LLM that answers in the process: what the work around the calls costs."""

import asyncio
import os
import signal
from typing import Any

import uvloop

from bench.card import answer
from shared import log as logs
from shared.heartbeat import beat
from shared.llm import Answer
from shared.prices import GEMINI, Prices
from shared.service import collect_rarely, reach
from shared.transport.redis_streams.transport import RedisTransport
from shared.transport.settle import Settlement
from topic_worker.generate_topics import TopicGenerator
from topic_worker.on_topic_submitted import OnTopicSubmitted


class InProcess:
    async def generate(self, *, instructions: str, data: str, schema: dict[str, Any]) -> Answer:
        return Answer(answer(data), "STOP", None, "in-process", 100, 100, 0, 0, 0.0, simulated=True)


async def main() -> None:
    logs.set_up("topic-worker", "bench")
    collect_rarely()
    transport = RedisTransport(os.environ["TOPICFLOW_BROKER_URL"])
    await reach(transport)
    consumer = await transport.consumer("topic-worker", "bench")
    settlement = Settlement(
        consumer,
        OnTopicSubmitted(TopicGenerator(InProcess(), batch_size=5, calls=6, prices=Prices.of(GEMINI))),
        worker="bench",
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, settlement.stop)
    heart = asyncio.create_task(beat(transport, "topic-worker", "bench"))
    await settlement.run()
    heart.cancel()
    await consumer.close()
    await transport.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
