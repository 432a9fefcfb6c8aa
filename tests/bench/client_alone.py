"""Calls through google-genai and nothing else: `python -m bench.client_alone URL CALLS SLOTS` prints how long all take.

The same requests as the worker's, one title each; the first call, which opens the client, is not counted.
"""

import asyncio
import json
import sys
import time
from importlib.resources import files

import uvloop

from shared.llm.endpoint import Endpoint
from shared.llm.gemini import Gemini
from shared.llm.gemini_keys import Keys
from shared.llm.models import DEFAULT_MODEL
from shared.service.bootstrap import collect_rarely
from topic_worker.topic import answer_schema


async def main(url: str, calls: int, slots: int) -> None:
    gemini = Gemini(keys=Keys(["bench"]), model=DEFAULT_MODEL, endpoint=Endpoint(url), calls=slots, timeout_seconds=60)
    instructions, schema = files("topic_worker").joinpath("prompt.md").read_text("utf-8"), answer_schema()
    titles = iter(range(calls))

    async def ask(n: int) -> None:
        data = json.dumps([{"id": str(n), "title": f"Topic number {n}"}])
        await gemini.generate(instructions=instructions, data=data, schema=schema)

    async def slot() -> None:
        for n in titles:
            await ask(n)

    await ask(-1)
    collect_rarely()
    began = time.perf_counter()
    await asyncio.gather(*(slot() for _ in range(slots)))
    print(time.perf_counter() - began)
    await gemini.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
