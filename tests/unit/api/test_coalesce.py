"""Calls that come while one runs share the next one, its answer and its failure."""

import asyncio
from collections.abc import Sequence

import pytest

from api.coalesce import Coalescer


class Slow:
    """Answers when it is told to, with all that was asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.may_answer = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, questions: Sequence[int]) -> int:
        self.asked.append(list(questions))
        await self.may_answer.wait()
        if self.error:
            raise self.error
        return sum(questions)


async def asking(together: Coalescer[int, int], *questions: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(together.ask(question)) for question in questions]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_the_first_goes_at_once_and_those_that_come_meanwhile_go_together() -> None:
    slow = Slow()
    together = Coalescer(slow)
    first = await asking(together, 1)
    others = await asking(together, 2, 3, 4)
    assert slow.asked == [[1]]
    slow.may_answer.set()
    assert await asyncio.gather(*first, *others) == [1, 9, 9, 9]
    assert slow.asked == [[1], [2, 3, 4]]
    assert await together.ask(5) == 5


async def test_whoever_asks_while_one_runs_is_not_answered_by_that_one() -> None:
    """It may have looked before what this one wants to see was there."""
    slow = Slow()
    together = Coalescer(slow)
    [first] = await asking(together, 1)
    [second] = await asking(together, 2)
    slow.may_answer.set()
    assert (await first, await second) == (1, 2)


async def test_a_failure_is_everybodys_who_shared_it_and_nobody_elses() -> None:
    slow = Slow()
    together = Coalescer(slow)
    tasks = await asking(together, 1)
    tasks += await asking(together, 2, 3)
    slow.error = RuntimeError("away")
    slow.may_answer.set()
    for end in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(end, RuntimeError)
    slow.error = None
    assert await together.ask(4) == 4


async def test_one_that_goes_away_takes_nobody_along() -> None:
    slow = Slow()
    together = Coalescer(slow)
    [first] = await asking(together, 1)
    second, third = await asking(together, 2, 3)
    first.cancel()
    second.cancel()
    slow.may_answer.set()
    assert await third == 5
    with pytest.raises(asyncio.CancelledError):
        await second
