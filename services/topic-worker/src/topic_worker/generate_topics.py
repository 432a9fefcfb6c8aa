"""Titles in, topics out: the only LLM call. Waiting titles share a call; each answer is judged alone."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any
from uuid import uuid4

from pydantic import ValidationError

from shared.errors import Refused, Transient
from shared.events import Usage
from shared.llm import Answer, LanguageModel
from topic_worker.topic import Topic, answer_schema

LINGER = 0.005  # seconds that a call which is not full waits for more titles, when some wait already


@dataclass(frozen=True, slots=True)
class Generated:
    topic: Topic
    model: str
    simulated: bool


@dataclass(slots=True, eq=False)
class _Item:
    id: str
    title: str
    most: int  # titles in its call
    result: asyncio.Future[Generated]
    paid: Callable[[Usage], None]
    reason: str = ""  # why the answer before was not taken; then it is asked alone


class AnswerNotUsable(Transient):
    def __init__(self, message: str) -> None:
        super().__init__("answer_not_usable", message)


class TopicGenerator:
    """`calls` at a time; up to `batch_size` titles in each."""

    def __init__(self, llm: LanguageModel, *, batch_size: int, calls: int) -> None:
        self.simulated: bool | None = None
        self._llm = llm
        self._batch_size = batch_size
        self._free_calls = asyncio.Semaphore(calls)
        self._waiting: deque[_Item] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._dispatcher: asyncio.Task[None] | None = None
        self._instructions = files("topic_worker").joinpath("prompt.md").read_text("utf-8")
        self._prompt_version = sha256(self._instructions.encode()).hexdigest()[:12]
        self._schema = answer_schema()

    async def generate(self, id_: str, title: str, *, most: int, paid: Callable[[Usage], None]) -> Generated:
        """`most`: how many titles may share its call; `paid` is told this title's share of each paid call.

        Raises Transient, Outage, Refused.
        """
        result: asyncio.Future[Generated] = asyncio.get_running_loop().create_future()
        self._queue(_Item(id_, title, min(most, self._batch_size), result, paid))
        return await result

    def _queue(self, item: _Item) -> None:
        self._waiting.append(item)
        if self._dispatcher is None or self._dispatcher.done():
            self._dispatcher = asyncio.create_task(self._dispatch())

    async def _dispatch(self) -> None:
        """Until nothing waits."""
        await asyncio.sleep(0)  # whoever is delivered in the same moment queues first
        while self._waiting:
            await self._free_calls.acquire()
            if 1 < len(self._waiting) < self._batch_size and not self._waiting[0].reason:
                await asyncio.sleep(LINGER)
            batch = self._next_batch()
            if not batch:
                self._free_calls.release()
                continue
            call = asyncio.create_task(self._call(batch))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    def _next_batch(self) -> list[_Item]:
        """The longest run of waiting titles that all agree to share a call of this size."""
        batch: list[_Item] = []
        while self._waiting:
            item = self._waiting[0]
            if item.result.done():  # its submission was taken back
                self._waiting.popleft()
                continue
            if batch and (item.reason or len(batch) + 1 > min(item.most, *(i.most for i in batch))):
                break
            batch.append(self._waiting.popleft())
            if item.reason:
                break
        return batch

    async def _call(self, batch: Sequence[_Item]) -> None:
        try:
            answer = await self._ask(batch)
            self._book(batch, answer)
            self._judge(batch, answer)
        except Exception as error:
            for item in batch:
                _fail(item, error)
        finally:
            self._free_calls.release()

    async def _ask(self, batch: Sequence[_Item]) -> Answer:
        instructions = self._instructions
        if batch[0].reason:
            instructions += f"\n\nAn earlier answer for this item could not be used: {batch[0].reason}"
        data = json.dumps([{"id": item.id, "title": item.title} for item in batch], ensure_ascii=False)
        answer = await self._llm.generate(instructions=instructions, data=data, schema=self._schema)
        self.simulated = answer.simulated
        return answer

    def _judge(self, batch: Sequence[_Item], answer: Answer) -> None:
        """Each item alone. What spoils a whole answer is asked again item by item, so that one can not fail others."""
        if answer.blocked:
            whole: Exception | None = Refused("blocked", f"Gemini refuses to answer: {answer.blocked}")
        elif answer.finish_reason == "MAX_TOKENS":
            whole = AnswerNotUsable("the answer was cut off at the token limit")
        else:
            whole = None
        found = {} if whole else _by_id(answer.text)
        for item in batch:
            problem = whole
            if not problem:
                try:
                    topic = Topic.model_validate(_one(found, item, len(batch)))
                except ValidationError as error:
                    problem = AnswerNotUsable(_in_words(error))
                except AnswerNotUsable as error:
                    problem = error
                else:
                    _succeed(item, Generated(topic, answer.model, answer.simulated))
                    continue
            if (isinstance(problem, Refused) and len(batch) == 1) or item.reason:
                _fail(item, problem)
            else:
                item.reason = str(problem)
                self._queue(item)

    def _book(self, batch: Sequence[_Item], answer: Answer) -> None:
        """Whole tokens, shared so that the shares add up to the call."""
        call_id = str(uuid4())
        for n, item in enumerate(batch):
            item.paid(
                Usage(
                    call_id=call_id,
                    model=answer.model,
                    prompt_version=self._prompt_version,
                    tokens_in=_share(answer.tokens_in, n, len(batch)),
                    tokens_out=_share(answer.tokens_out, n, len(batch)),
                    tokens_cached=_share(answer.tokens_cached, n, len(batch)),
                    tokens_thought=_share(answer.tokens_thought, n, len(batch)),
                    seconds=round(answer.seconds, 3),
                    shared_by=len(batch),
                    finish_reason=answer.finish_reason,
                )
            )


def _share(total: int, n: int, of: int) -> int:
    return total * (n + 1) // of - total * n // of


def _by_id(text: str) -> dict[str, Any]:
    """Answers by the id they carry. Raises nothing: what can not be read is an empty answer."""
    try:
        answers = json.loads(text)
    except ValueError:
        return {}
    if isinstance(answers, dict):
        answers = [answers]
    if not isinstance(answers, list):
        return {}
    return {str(answer.get("id")): answer for answer in answers if isinstance(answer, dict)}


def _one(found: dict[str, Any], item: _Item, asked: int) -> Any:
    if item.id in found:
        return found[item.id]
    if asked == 1 and len(found) == 1:
        return next(iter(found.values()))
    raise AnswerNotUsable("the answer has no readable JSON object with this item's id")


def _in_words(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in problems[:5])


def _succeed(item: _Item, generated: Generated) -> None:
    if not item.result.done():
        item.result.set_result(generated)


def _fail(item: _Item, error: Exception) -> None:
    if not item.result.done():
        item.result.set_exception(error)
