"""Waits in tests until a condition holds, never for a fixed time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(condition: Callable[[], Awaitable[T | None]], *, within: float, every: float = ...) -> T: ...
@overload
async def eventually(condition: Callable[[], T | None], *, within: float, every: float = ...) -> T: ...
async def eventually(condition: Callable[[], Any], *, within: float, every: float = 0.05) -> Any:
    """The result of the condition once it is true; fails after `within` seconds with its last result."""
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        given = await answer if inspect.isawaitable(answer) else answer
        if given:
            return given
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {getattr(condition, '__name__', condition)} gave {given!r}")
        await asyncio.sleep(every)
