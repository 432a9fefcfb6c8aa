"""Concurrent calls are batched: those that arrive while one is running share the next one, and its failure."""

import asyncio
from collections.abc import Sequence

import pytest

from api.coalesce import Coalescer


class Slow:
    """Answers with the sum of the batch once `can_answer` is set; records the batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.can_answer = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, questions: Sequence[int]) -> int:
        self.batches.append(list(questions))
        await self.can_answer.wait()
        if self.error:
            raise self.error
        return sum(questions)


async def ask_all(coalescer: Coalescer[int, int], *questions: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(coalescer.ask(question)) for question in questions]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_the_first_call_runs_at_once_and_later_ones_are_batched() -> None:
    slow = Slow()
    coalescer = Coalescer(slow)
    first = await ask_all(coalescer, 1)
    others = await ask_all(coalescer, 2, 3, 4)
    assert slow.batches == [[1]]
    slow.can_answer.set()
    assert await asyncio.gather(*first, *others) == [1, 9, 9, 9]
    assert slow.batches == [[1], [2, 3, 4]]
    assert await coalescer.ask(5) == 5


async def test_a_caller_that_arrives_during_a_call_is_not_answered_by_that_call() -> None:
    """It may have read before the data of the second caller was written."""
    slow = Slow()
    coalescer = Coalescer(slow)
    [first] = await ask_all(coalescer, 1)
    [second] = await ask_all(coalescer, 2)
    slow.can_answer.set()
    assert (await first, await second) == (1, 2)


async def test_a_failure_reaches_exactly_the_callers_that_shared_the_call() -> None:
    slow = Slow()
    coalescer = Coalescer(slow)
    tasks = await ask_all(coalescer, 1)
    tasks += await ask_all(coalescer, 2, 3)
    slow.error = RuntimeError("away")
    slow.can_answer.set()
    for end in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(end, RuntimeError)
    slow.error = None
    assert await coalescer.ask(4) == 4


async def test_a_cancelled_caller_cancels_no_other() -> None:
    slow = Slow()
    coalescer = Coalescer(slow)
    [first] = await ask_all(coalescer, 1)
    second, third = await ask_all(coalescer, 2, 3)
    first.cancel()
    second.cancel()
    slow.can_answer.set()
    assert await third == 5
    with pytest.raises(asyncio.CancelledError):
        await second
