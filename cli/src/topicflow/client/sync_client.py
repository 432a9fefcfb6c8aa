"""The client for programs without `async`: the same calls, run in an event loop of its own in the background."""

import asyncio
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from topicflow.client.api import DEFAULT_URL
from topicflow.client.async_client import AsyncClient

P = ParamSpec("P")
T = TypeVar("T")
_END = object()


def _blocking(
    call: Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate["Client", P], T]:
    @functools.wraps(call)
    def blocking(self: "Client", /, *args: P.args, **options: P.kwargs) -> T:
        return self._run(lambda: call(self._client, *args, **options))

    return blocking


def _iterating(
    call: Callable[Concatenate[AsyncClient, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate["Client", P], Generator[T, None, None]]:
    @functools.wraps(call)
    def iterating(self: "Client", /, *args: P.args, **options: P.kwargs) -> Generator[T, None, None]:
        return self._iterate(_Steps(call(self._client, *args, **options)))

    return iterating


class Client:
    """`with Client("http://127.0.0.1:8000", key="tf_…") as client`. Calls, arguments and errors are those of
    AsyncClient; what is `async for` there is `for` here. Threads may share it."""

    def __init__(self, url: str = DEFAULT_URL, key: str | None = None) -> None:
        self._client = AsyncClient(url, key)
        self._opened = ExitStack()
        self._portal: BlockingPortal | None = None
        self._open_steps: set[_Steps[Any]] = set()

    submit_topics = _blocking(AsyncClient.submit_topics)
    topic = _blocking(AsyncClient.topic)
    topics = _iterating(AsyncClient.topics)
    retry_topic = _blocking(AsyncClient.retry_topic)
    retry_failed_topics = _blocking(AsyncClient.retry_failed_topics)
    delete_topic = _blocking(AsyncClient.delete_topic)
    wait_for_topics = _blocking(AsyncClient.wait_for_topics)

    submit_articles = _blocking(AsyncClient.submit_articles)
    article = _blocking(AsyncClient.article)
    articles = _iterating(AsyncClient.articles)
    forget_article = _blocking(AsyncClient.forget_article)
    wait_for_articles = _blocking(AsyncClient.wait_for_articles)
    start_scan = _blocking(AsyncClient.start_scan)
    scan = _blocking(AsyncClient.scan)

    as_they_end = _iterating(AsyncClient.as_they_end)
    follow = _iterating(AsyncClient.follow)
    events = _iterating(AsyncClient.events)
    processing_status = _blocking(AsyncClient.processing_status)
    get = _blocking(AsyncClient.get)
    post = _blocking(AsyncClient.post)
    delete = _blocking(AsyncClient.delete)

    def _run(self, call: Callable[[], Awaitable[T]]) -> T:
        """Ctrl-C ends the call too."""
        if self._portal is None:
            raise RuntimeError("the client is not open: use it in `with Client(…) as client`")
        future = self._portal.start_task_soon(call)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _iterate(self, steps: "_Steps[T]") -> Generator[T, None, None]:
        self._open_steps.add(steps)
        try:
            while (item := self._run(steps.next)) is not _END:
                yield item  # type: ignore[misc]
        finally:
            self._close(steps)

    def _close_all(self) -> None:
        for steps in list(self._open_steps):
            self._close(steps)

    def _close(self, steps: "_Steps[Any]") -> None:
        if steps in self._open_steps:  # otherwise the client has closed it
            self._open_steps.remove(steps)
            self._run(steps.close)

    def __enter__(self) -> Self:
        self._portal = self._opened.enter_context(start_blocking_portal())
        self._opened.enter_context(self._portal.wrap_async_context_manager(self._client))
        self._opened.callback(self._close_all)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._opened.__exit__(kind, error, at)
        self._portal = None


class _Steps(Generic[T]):
    """An iteration in the background; it is closed when its last step, which may be cancelled, has ended."""

    def __init__(self, items: AsyncGenerator[T, None]) -> None:
        self._items = items
        self._step = asyncio.Lock()
        self._running: asyncio.Task[Any] | None = None
        self._is_closing = False

    async def next(self) -> T | object:
        async with self._step:
            self._running = asyncio.current_task()
            try:
                return await anext(self._items, _END)
            except asyncio.CancelledError:
                if not self._is_closing:
                    raise
                return _END
            finally:
                self._running = None

    async def close(self) -> None:
        """A step that another thread waits for ends its iteration."""
        self._is_closing = True
        if self._running:
            self._running.cancel()
        async with self._step:
            await self._items.aclose()
