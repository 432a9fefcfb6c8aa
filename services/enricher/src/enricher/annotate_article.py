"""An article in, its annotation out: the only LLM calls. First what it is about and for whom, then what it says.

Each answer is judged alone; one that cannot be used is asked for once more, with the reason.
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
from shared.llm.call_limiter import Turns
from shared.llm.gemini import Answer, LanguageModel
from shared.llm.prices import Prices
from shared.llm.prompt import Prompt
from shared.llm.rate_limit import RateLimiter
from shared.llm.telemetry import observed
from shared.llm.usage import shares
from shared.text.storable import storable_text

MOST_TOKENS = 30_000  # of an article's text in a call; a long paper has half of that
CHARACTERS_A_TOKEN = 4
LONGEST_TITLE = 500  # characters
MOST_HALF_DONE = 1000  # articles
Wanted = TypeVar("Wanted", bound=BaseModel)
Paid = Callable[[Usage], None]


class ArticleText(Protocol):
    """As the catalogue has it."""

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
    """What the model is given of an article: storable, and no more than it should read."""

    urn: str
    title: str
    abstract: str
    content: str

    @property
    def data(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @property
    def text(self) -> str:
        """In its normal form. Nothing occurs in two parts at once."""
        return normal("\0".join((self.title, self.abstract, self.content)))


@dataclass(frozen=True, slots=True)
class _Question(Generic[Wanted]):
    prompt: Prompt
    wanted: type[Wanted]
    schema: dict[str, Any]


def _question(prompt: str, wanted: type[Wanted]) -> _Question[Wanted]:
    return _Question(Prompt.read("enricher", prompt), wanted, schema_of(wanted))


def input_hash(article: ArticleText, prompt_version: str) -> str:
    """SHA-256 of what is asked about and by which prompts: the same one, the same annotation."""
    asked = [prompt_version, article.title or "", article.abstract or "", article.content or ""]
    return sha256(json.dumps(asked).encode()).hexdigest()


def excerpt(article: ArticleText, most_tokens: int) -> Excerpt:
    """The abstract first, then as much of the content as there is room for, both to the end of a sentence.

    Raises Refused where there is nothing to read but a title.
    """
    title, abstract, content = (
        storable_text(text or "").strip() for text in (article.title, article.abstract, article.content)
    )
    if not abstract and not content:
        raise Refused("no_text", "the article has neither an abstract nor content")
    room = most_tokens * CHARACTERS_A_TOKEN
    abstract = shortened(abstract, room)
    return Excerpt(article.urn, shortened(title, LONGEST_TITLE), abstract, shortened(content, room - len(abstract)))


def validate_answer(answer: Answer, wanted: type[Wanted], text: str) -> Wanted | Refused | AnswerNotUsable:
    """`text`: of the article, in its normal form."""
    return without_text(answer) or first_valid(wanted, extract_json(answer.text), context=text)


class ArticleAnnotator:
    """At most `calls` at a time, at the pace that there is."""

    def __init__(
        self, llm: LanguageModel, *, calls: int, pace: RateLimiter, prices: Prices, most_tokens: int = MOST_TOKENS
    ) -> None:
        self.simulated: bool | None = None
        self._llm = llm
        self._turns = Turns(calls, pace)
        self._pace = pace
        self._prices = prices
        self._most_tokens = most_tokens
        self._classify = _question("prompt_keywords.md", Classification)
        self._assess = _question("prompt_annotation.md", Assessment)
        self.prompt_version = f"{self._classify.prompt.version}-{self._assess.prompt.version}"
        self._half_done: dict[tuple[str, str], Classification] = {}  # paid for, while an outage lasts or a try is over

    def input_hash(self, article: ArticleText) -> str:
        return input_hash(article, self.prompt_version)

    async def annotate(self, article: ArticleText, *, paid: Paid) -> Annotated:
        """`paid` is told each paid call, of use or not. Raises Transient, Outage, Refused."""
        asked = self.input_hash(article)
        about = excerpt(article, self._most_tokens)
        classification = self._half_done.pop((article.urn, asked), None)
        if classification is None:
            classification, _ = await self._ask(self._classify, about, paid)
        try:
            assessment, answer = await self._ask(self._assess, about, paid)
        except Exception as error:
            if not isinstance(error, Refused):
                self._remember(article.urn, asked, classification)
            raise
        annotation = annotation_of(classification, assessment)
        return Annotated(annotation, answer.model, self.prompt_version, asked, answer.simulated)

    def _remember(self, urn: str, asked: str, classification: Classification) -> None:
        self._half_done[urn, asked] = classification
        if len(self._half_done) > MOST_HALF_DONE:
            del self._half_done[next(iter(self._half_done))]

    async def _ask(self, question: _Question[Wanted], about: Excerpt, paid: Paid) -> tuple[Wanted, Answer]:
        try:
            return await self._ask_once(question, about, "", paid)
        except AnswerNotUsable as problem:
            reason = str(problem)
        return await self._ask_once(question, about, reason, paid)

    async def _ask_once(
        self, question: _Question[Wanted], about: Excerpt, reason: str, paid: Paid
    ) -> tuple[Wanted, Answer]:
        instructions = question.prompt.instructions(reason)
        await self._turns.take()
        with self._turns.taken(), observed({about.urn: copy_context()}) as tell:
            answer = await self._llm.generate(instructions=instructions, data=about.data, schema=question.schema)
            tell(answer)
        self.simulated = answer.simulated
        verdict = validate_answer(answer, question.wanted, about.text)
        [usage] = shares(answer, [wasted(verdict)], prompt_version=question.prompt.version, prices=self._prices)
        self._pace.spent(answer.tokens_in, usage.cost or 0)
        paid(usage)
        if isinstance(verdict, Refused | AnswerNotUsable):
            raise verdict
        return verdict, answer
