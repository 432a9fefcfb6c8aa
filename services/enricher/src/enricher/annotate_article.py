"""Annotates an article with two calls to the language model: classification, then assessment.

An unusable answer is requested once more, with the reason.
"""

import json
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from enricher.annotation import Assessment, Classification, annotation_of
from shared.errors import Refused
from shared.events import Usage
from shared.ids import normal
from shared.llm.answers.answer_schema import schema_of, shortened
from shared.llm.answers.answer_validation import AnswerNotUsable, first_valid, wasted, without_text
from shared.llm.answers.json_extraction import extract_json
from shared.llm.call_limiter import CallLimiter
from shared.llm.gemini import Answer, LanguageModel
from shared.llm.prices import Prices
from shared.llm.prompt import Prompt
from shared.llm.rate_limit import RateLimiter
from shared.llm.telemetry import observed
from shared.llm.usage import shares
from shared.text.storable import storable_text

MOST_TOKENS = 30_000  # of an article's text per call; a long paper has half of that
CHARACTERS_A_TOKEN = 4
LONGEST_TITLE = 500  # characters
MOST_HALF_DONE = 1000  # articles
AnswerPart = TypeVar("AnswerPart", bound=BaseModel)
Paid = Callable[[Usage], None]


class ArticleText(Protocol):
    """An article as stored in the catalogue."""

    @property
    def urn(self) -> str: ...
    @property
    def title(self) -> str | None: ...
    @property
    def abstract(self) -> str | None: ...
    @property
    def content(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Annotated:
    annotation: dict[str, Any]
    model: str
    prompt_version: str
    input_hash: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The part of an article sent to the model: storable text of limited length."""

    urn: str
    title: str
    abstract: str
    content: str

    @property
    def data(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @property
    def text(self) -> str:
        """The normalised text; the separator prevents matches across parts."""
        return normal("\0".join((self.title, self.abstract, self.content)))


@dataclass(frozen=True, slots=True)
class _Question(Generic[AnswerPart]):
    prompt: Prompt
    model: type[AnswerPart]
    schema: dict[str, Any]


def _question(prompt: str, model: type[AnswerPart]) -> _Question[AnswerPart]:
    return _Question(Prompt.read("enricher", prompt), model, schema_of(model))


def input_hash(article: ArticleText, prompt_version: str) -> str:
    """SHA-256 of the article's text and the prompt version: an equal hash means an equal annotation."""
    hashed = [prompt_version, article.title or "", article.abstract or "", article.content or ""]
    return sha256(json.dumps(hashed).encode()).hexdigest()


def excerpt(article: ArticleText, most_tokens: int) -> Excerpt:
    """The abstract, then as much content as fits, both cut at the end of a sentence.

    Raises Refused if the article has only a title.
    """
    title, abstract, content = (
        storable_text(text or "").strip() for text in (article.title, article.abstract, article.content)
    )
    if not abstract and not content:
        raise Refused("no_text", "the article has neither an abstract nor content")
    room = most_tokens * CHARACTERS_A_TOKEN
    abstract = shortened(abstract, room)
    return Excerpt(article.urn, shortened(title, LONGEST_TITLE), abstract, shortened(content, room - len(abstract)))


def validate_answer(answer: Answer, model: type[AnswerPart], text: str) -> AnswerPart | Refused | AnswerNotUsable:
    """`text`: the article's normalised text."""
    return without_text(answer) or first_valid(model, extract_json(answer.text), context=text)


class ArticleAnnotator:
    """Runs at most `calls` concurrent calls, within the rate limit."""

    def __init__(
        self, llm: LanguageModel, *, calls: int, pace: RateLimiter, prices: Prices, most_tokens: int = MOST_TOKENS
    ) -> None:
        self.simulated: bool | None = None
        self._llm = llm
        self._limiter = CallLimiter(calls, pace)
        self._pace = pace
        self._prices = prices
        self._most_tokens = most_tokens
        self._classify = _question("prompt_keywords.md", Classification)
        self._assess = _question("prompt_annotation.md", Assessment)
        self.prompt_version = f"{self._classify.prompt.version}-{self._assess.prompt.version}"
        self._half_done: dict[tuple[str, str], Classification] = {}  # paid for, kept across outages and tries

    def input_hash(self, article: ArticleText) -> str:
        return input_hash(article, self.prompt_version)

    async def annotate(self, article: ArticleText, *, paid: Paid) -> Annotated:
        """`paid` receives every paid call, usable or not. Raises Transient, Outage, Refused."""
        hash_ = self.input_hash(article)
        extract = excerpt(article, self._most_tokens)
        classification = self._half_done.pop((article.urn, hash_), None)
        if classification is None:
            classification, _ = await self._request(self._classify, extract, paid)
        try:
            assessment, answer = await self._request(self._assess, extract, paid)
        except Exception as error:
            if not isinstance(error, Refused):
                self._remember(article.urn, hash_, classification)
            raise
        annotation = annotation_of(classification, assessment)
        return Annotated(annotation, answer.model, self.prompt_version, hash_, answer.simulated)

    def _remember(self, urn: str, hash_: str, classification: Classification) -> None:
        self._half_done[urn, hash_] = classification
        if len(self._half_done) > MOST_HALF_DONE:
            del self._half_done[next(iter(self._half_done))]

    async def _request(
        self, question: _Question[AnswerPart], extract: Excerpt, paid: Paid
    ) -> tuple[AnswerPart, Answer]:
        try:
            return await self._request_once(question, extract, "", paid)
        except AnswerNotUsable as problem:
            reason = str(problem)
        return await self._request_once(question, extract, reason, paid)

    async def _request_once(
        self, question: _Question[AnswerPart], extract: Excerpt, reason: str, paid: Paid
    ) -> tuple[AnswerPart, Answer]:
        instructions = question.prompt.instructions(reason)
        await self._limiter.acquire()
        with self._limiter.call(), observed({extract.urn: copy_context()}) as on_answer:
            answer = await self._llm.generate(instructions=instructions, data=extract.data, schema=question.schema)
            on_answer(answer)
        self.simulated = answer.simulated
        verdict = validate_answer(answer, question.model, extract.text)
        [usage] = shares(answer, [wasted(verdict)], prompt_version=question.prompt.version, prices=self._prices)
        self._pace.spent(answer.tokens_in, usage.cost or 0)
        paid(usage)
        if isinstance(verdict, Refused | AnswerNotUsable):
            raise verdict
        return verdict, answer
