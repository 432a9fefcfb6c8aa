"""Generates study cards with the language model. Waiting titles share a call; each answer is validated on its own."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass

from shared.errors import Refused, Transient
from shared.events import Usage
from shared.llm.answers.answer_validation import AnswerNotUsable, wasted
from shared.llm.call_limiter import CallLimiter
from shared.llm.gemini import Answer, LanguageModel
from shared.llm.prices import Prices
from shared.llm.prompt import Prompt
from shared.llm.rate_limit import RateLimiter
from shared.llm.telemetry import observed
from shared.llm.usage import shares
from topic_worker.topic import StudyCard, answer_schema
from topic_worker.validate_card import validate_answer

LINGER = 0.005  # seconds that a partly filled call waits for more titles


@dataclass(frozen=True, slots=True)
class Generated:
    topic: StudyCard
    model: str
    simulated: bool


@dataclass(slots=True, eq=False)
class _Item:
    id: str
    title: str
    most: int  # titles that may share its call
    result: asyncio.Future[Generated]
    paid: Callable[[Usage], None]
    context: Context  # of its delivery: log fields and span
    alone: bool = False
    reason: str = ""  # why the previous answer was rejected


class TopicGenerator:
    """Batches up to `batch_size` titles per call, with at most `calls` concurrent calls, within the rate limit."""

    def __init__(self, llm: LanguageModel, *, batch_size: int, calls: int, pace: RateLimiter, prices: Prices) -> None:
        self._llm = llm
        self._prices = prices
        self._batch_size = batch_size
        self._limiter = CallLimiter(calls, pace)
        self._pace = pace
        self._waiting: deque[_Item] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._dispatcher: asyncio.Task[None] | None = None
        self._prompt = Prompt.read("topic_worker", "prompt.md")
        self._schema = answer_schema()

    async def generate(self, id_: str, title: str, *, most: int, paid: Callable[[Usage], None]) -> Generated:
        """`most`: how many titles may share its call; `paid` receives this title's share of each paid call.

        Raises Transient, Outage, Refused.
        """
        result: asyncio.Future[Generated] = asyncio.get_running_loop().create_future()
        self._queue(_Item(id_, title, min(most, self._batch_size), result, paid, copy_context()))
        return await result

    def _queue(self, item: _Item) -> None:
        self._waiting.append(item)
        if self._dispatcher is None or self._dispatcher.done():
            self._dispatcher = asyncio.create_task(self._dispatch())

    async def _dispatch(self) -> None:
        """Runs until no title is waiting."""
        await asyncio.sleep(0)  # lets deliveries of the same moment queue first
        while self._waiting:
            try:
                await self._limiter.acquire()
            except Exception as error:  # nothing awaits the dispatcher
                self._fail_waiting(error)
                continue
            if 1 < len(self._waiting) < self._batch_size and not self._waiting[0].alone:
                await asyncio.sleep(LINGER)
            batch = self._next_batch()
            if not batch:
                self._limiter.release()
                continue
            call = asyncio.create_task(self._call(batch), context=batch[0].context.copy())
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    def _next_batch(self) -> list[_Item]:
        """The longest run of waiting titles whose `most` allows a call of this size."""
        batch: list[_Item] = []
        while self._waiting:
            item = self._waiting[0]
            if item.result.done():  # its submission was withdrawn
                self._waiting.popleft()
                continue
            if batch and (item.alone or len(batch) + 1 > min(item.most, *(i.most for i in batch))):
                break
            batch.append(self._waiting.popleft())
            if item.alone:
                break
        return batch

    async def _call(self, batch: Sequence[_Item]) -> None:
        try:
            with self._limiter.call():
                answer = await self._request(batch)
        except Exception as error:
            verdicts: dict[str, StudyCard | Exception] = {item.id: error for item in batch}
            model, simulated = "", False
        else:
            verdicts = validate_answer(answer, [item.id for item in batch])
            self._book(batch, answer, verdicts)
            model, simulated = answer.model, answer.simulated
        for item in batch:
            verdict = verdicts[item.id]
            if isinstance(verdict, StudyCard):
                _succeed(item, Generated(verdict, model, simulated))
            elif not item.alone and _should_retry_alone(verdict, len(batch)):
                item.alone = True
                item.reason = str(verdict) if isinstance(verdict, AnswerNotUsable) else ""
                self._queue(item)
            else:
                _fail(item, verdict)

    def _fail_waiting(self, error: Exception) -> None:
        while self._waiting:
            _fail(self._waiting.popleft(), error)

    async def _request(self, batch: Sequence[_Item]) -> Answer:
        instructions = self._prompt.instructions(batch[0].reason)
        data = json.dumps([{"id": item.id, "title": item.title} for item in batch], ensure_ascii=False)
        with observed({item.id: item.context for item in batch}) as on_answer:
            answer = await self._llm.generate(
                instructions=instructions, data=data, schema=self._schema, items=len(batch)
            )
            on_answer(answer)
        return answer

    def _book(self, batch: Sequence[_Item], answer: Answer, verdicts: Mapping[str, StudyCard | Exception]) -> None:
        reasons = ["taken_back" if item.result.done() else wasted(verdicts[item.id]) for item in batch]
        usages = shares(answer, reasons, prompt_version=self._prompt.version, prices=self._prices)
        for item, usage in zip(batch, usages, strict=True):
            item.paid(usage)
        self._pace.spent(answer.tokens_in, sum(usage.cost or 0 for usage in usages))


def _should_retry_alone(problem: Exception, together: int) -> bool:
    """Unusable answers are retried with the reason; in a shared call, another title may have caused the error."""
    return isinstance(problem, AnswerNotUsable) or (together > 1 and isinstance(problem, Refused | Transient))


def _succeed(item: _Item, generated: Generated) -> None:
    if not item.result.done():
        item.result.set_result(generated)


def _fail(item: _Item, error: Exception) -> None:
    if not item.result.done():
        item.result.set_exception(error)
