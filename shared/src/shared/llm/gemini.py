"""Gemini client. Only this file, `gemini_clients.py` and `gemini_errors.py` use google-genai."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from json import JSONDecodeError
from typing import Any, Protocol, Self

import httpx2
import structlog
from google.genai import errors, types
from pydantic import ValidationError

from shared.errors import DailyQuota, Doubtful, KeyRefused, Outage, RateLimited, Refused, Transient, Unavailable
from shared.events import Problem
from shared.llm.endpoint import Endpoint
from shared.llm.gemini_clients import Clients, request
from shared.llm.gemini_errors import error_of, not_found
from shared.llm.gemini_keys import Key, Keys
from shared.llm.models import MOST_OUTPUT_TOKENS, Thinking, generation_config, retirement_warning
from shared.llm.prices import Prices
from shared.llm.settings import GeminiSettings
from shared.observability.metrics import LLM_CALLS, LLM_SECONDS, LLM_TOKENS
from shared.resilience.outage_detection import OutageDetector

log = structlog.get_logger()
SIMULATED = "x-topicflow-simulated"  # header that a simulator sends


@dataclass(frozen=True, slots=True)
class Answer:
    """`text`: "" if there is none; `blocked`: why the prompt or the answer was blocked, else None."""

    text: str
    finish_reason: str
    blocked: str | None
    model: str
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    tokens_thought: int
    seconds: float
    simulated: bool


class LanguageModel(Protocol):
    async def generate(self, *, instructions: str, data: str, schema: dict[str, Any], items: int = 1) -> Answer:
        """`data`: JSON, never instructions; `schema`: JSON Schema of the answer; `items`: how many `data` has.

        Raises Outage, Transient, Refused.
        """


PROBE_SECONDS = 5.0
DETECT_INTERVAL = 5.0  # seconds
MINUTE = 60.0  # seconds after which a per-minute quota has recovered
# such as the page of a proxy, with status 200
_UNREADABLE = (JSONDecodeError, ValidationError, httpx2.DecodingError, httpx2.TooManyRedirects)
_NOT_THERE = (httpx2.HTTPError, Outage, *_UNREADABLE)
_BLOCKS = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY"}


class Gemini:
    """One per process, created inside the running loop. google-genai's retries are off: only `retry.py` retries."""

    def __init__(
        self,
        *,
        keys: Keys,
        own_projects: bool = False,
        model: str,
        endpoint: Endpoint,
        calls: int,
        timeout_seconds: float,
        thinking: Thinking = "default",
        answer_tokens: int = MOST_OUTPUT_TOKENS,
    ) -> None:
        """`calls`: concurrent calls. `own_projects`: each key has its own project and quota. `answer_tokens`: the
        longest answer for one item."""
        self._asking = Clients(endpoint, calls, timeout_seconds)
        self._looking = Clients(endpoint, calls, PROBE_SECONDS)  # with connections of its own
        self._url = endpoint.shown(model)
        self._keys = keys
        self._own_projects = own_projects
        self._model = model
        self._thinking: Thinking = thinking
        self._answer_tokens = answer_tokens
        self._not_found: str | None = None  # message of the last 404 for the model
        self._doubts = OutageDetector(self._is_there)
        self.simulated: bool | None = None  # None: not known yet

    @classmethod
    def of(cls, settings: GeminiSettings, calls: int) -> Self:
        gemini = cls(
            keys=settings.keys,
            own_projects=settings.own_projects,
            model=settings.model,
            endpoint=settings.endpoint,
            calls=calls,
            timeout_seconds=settings.call_timeout_seconds,
            thinking=settings.thinking,
            answer_tokens=settings.answer_tokens,
        )
        for problem in gemini.problems:
            log.warning(problem.code, problem=problem.text)
        return gemini

    def heartbeat(self, prices: Prices) -> dict[str, Any]:
        """What a worker's heartbeats say about Gemini: fields of WorkerHeartbeat."""
        return {"simulated": self.simulated, "problems": (*self.problems, *prices.problems)}

    @property
    def problems(self) -> list[Problem]:
        """Problems with the configured model, for an operator to fix."""
        retired = retirement_warning(self._model, datetime.now(UTC).date())
        found = {"model_retired": retired, "model_not_found": self._not_found}
        return [Problem(code=code, text=text) for code, text in found.items() if text]

    async def generate(self, *, instructions: str, data: str, schema: dict[str, Any], items: int = 1) -> Answer:
        outcome, began = "cancelled", time.monotonic()
        config = generation_config(self._model, self._thinking, self._answer_tokens * items)
        try:
            answer = await self._answer(data, request(instructions, data, schema, config))
            outcome = _outcome(answer)
        except (Outage, Transient, Refused) as error:
            outcome = error.reason if isinstance(error, Outage) else error.code
            raise
        finally:
            LLM_CALLS.labels(self._model, outcome).inc()
            LLM_SECONDS.labels(self._model).observe(time.monotonic() - began)
        for kind in ("in", "out", "cached", "thought"):
            LLM_TOKENS.labels(self._model, kind).inc(getattr(answer, f"tokens_{kind}"))
        return answer

    async def _answer(self, data: str, body: dict[str, Any]) -> Answer:
        """Raises Transient only if the failure is specific to this request."""
        began = time.monotonic()
        while True:
            key = self._keys.next()
            try:
                answer = await self._call(key, body)
            except Doubtful as error:
                if await self._doubts.is_outage(data, began):
                    raise Unavailable(str(error)) from error
                raise
            except (KeyRefused, DailyQuota, RateLimited) as error:
                if not self._can_use_another_key(key, error):
                    raise
            else:
                self._keys.works(key)
                self._not_found = None
                self.simulated = answer.simulated
                self._doubts.answered()
                return answer

    def _can_use_another_key(self, key: Key, error: Outage) -> bool:
        """Take the key out of rotation; returns whether another one is usable now."""
        if isinstance(error, KeyRefused):
            self._keys.refuse(key)
        elif isinstance(error, DailyQuota) and error.until:
            self._keys.cool_down(key, error.until, DailyQuota)
        elif self._own_projects:
            seconds = error.retry_after or MINUTE
            self._keys.cool_down(key, datetime.now(UTC) + timedelta(seconds=seconds), RateLimited)
        else:
            return False
        return self._keys.has_usable

    async def _call(self, key: Key, body: dict[str, Any]) -> Answer:
        began = time.monotonic()
        try:
            response = await self._asking.of(key).generate_content(model=self._model, **body)
        except errors.APIError as error:
            raise error_of(error, key, self._url) from None  # the original holds the request's headers
        except httpx2.TimeoutException as error:
            raise Doubtful("timeout", f"Gemini did not answer within {time.monotonic() - began:.0f} s") from error
        except httpx2.ConnectError as error:
            raise Unavailable("Gemini cannot be reached") from error
        except httpx2.TransportError as error:
            lost = f"the connection to Gemini was lost: {type(error).__name__}"
            raise Doubtful("connection_lost", lost) from error
        except _UNREADABLE as error:
            unreadable = f"the response in place of Gemini's cannot be read: {type(error).__name__}"
            raise Doubtful("unreadable_answer", unreadable) from error
        return _answer(response, self._model, time.monotonic() - began)

    async def detect_simulator(self) -> None:
        """Probe until it is known whether a simulator answers; the first answered call tells, too."""
        while self.simulated is None:
            if (simulated := await self.is_simulated()) is None:
                await asyncio.sleep(DETECT_INTERVAL)
            else:
                self.simulated = simulated
        log.info("gemini_reachable", simulated=self.simulated, model=self._model)

    async def is_simulated(self) -> bool | None:
        """None if there is no response."""
        try:
            described = await self._look()
        except (errors.APIError, *_NOT_THERE):
            return None
        return described.version == "simulated"

    async def _is_there(self) -> bool:
        try:
            await self._look()
        except errors.APIError as error:
            return error.code < 500
        except _NOT_THERE:
            return False
        return True

    async def _look(self) -> types.Model:
        """Fetch the model's description, which is free. Raises APIError and the errors in `_NOT_THERE`."""
        while True:
            key = self._keys.next()
            try:
                described = await self._looking.of(key).get(model=self._model)
            except errors.APIError as error:
                if error.code == 404:
                    self._not_found = not_found(error, self._url)
                refused = error_of(error, key, self._url)
                if not isinstance(refused, KeyRefused) or not self._can_use_another_key(key, refused):
                    raise
            else:
                self._not_found = None
                return described

    async def close(self) -> None:
        await self._asking.close()
        await self._looking.close()


def _answer(response: types.GenerateContentResponse, model: str, seconds: float) -> Answer:
    """MAX_TOKENS, blocked and empty answers return normally: check the reasons before the text."""
    candidate = response.candidates[0] if response.candidates else None
    finish = candidate.finish_reason.value if candidate and candidate.finish_reason else ""
    feedback = response.prompt_feedback
    blocked = feedback.block_reason.value if feedback and feedback.block_reason else None
    parts = candidate.content.parts or [] if candidate and candidate.content else []
    usage = response.usage_metadata or types.GenerateContentResponseUsageMetadata()
    return Answer(
        text="".join(part.text for part in parts if part.text and not part.thought),
        finish_reason=finish,
        blocked=blocked or (finish if finish in _BLOCKS else None),
        model=response.model_version or model,
        tokens_in=usage.prompt_token_count or 0,
        tokens_out=usage.candidates_token_count or 0,
        tokens_cached=usage.cached_content_token_count or 0,
        tokens_thought=usage.thoughts_token_count or 0,
        seconds=seconds,
        simulated=_says_simulated(response.sdk_http_response),
    )


def _outcome(answer: Answer) -> str:
    if answer.blocked:
        return "blocked"
    if answer.finish_reason == "MAX_TOKENS":
        return "cut_off"
    return "answered" if answer.text else "empty"


def _says_simulated(response: types.HttpResponse | None) -> bool:
    return bool(response and response.headers and {k.lower(): v for k, v in response.headers.items()}.get(SIMULATED))
