"""How Gemini models differ: their generation, how they take thinking, which of them Google has shut down."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Literal

DEFAULT_MODEL = "gemini-3.5-flash-lite"
Thinking = Literal["minimal", "low", "medium", "high", "default"]  # default: whatever the model does by itself
MOST_OUTPUT_TOKENS = 65_536  # of one answer, thoughts included: what generations 2.5 and 3 allow

# Tokens that thinking may take. Generation 2.5 is given them as its budget, as by Google's OpenAI-compatible endpoint.
# They are added to the limit of the answer, because thoughts count against it.
THINKING_TOKENS: Mapping[Thinking, int] = MappingProxyType(
    {"minimal": 0, "low": 1024, "medium": 8192, "high": 24_576, "default": 24_576}
)
LEAST_BUDGET_OF_PRO = 128  # gemini-2.5-pro cannot stop thinking
LEAST_ROOM = 1024  # `minimal` is no promise: a generation 3 model may think a little all the same

_NUMBERED = re.compile(r"gemini-(\d+)(?:\.(\d+))?(?![\d.])")
_LATEST = re.compile(r"gemini-[a-z-]+-latest")
# Others begin at low: gemini-3.8-flash and the pro models refuse minimal with a 400.
_TAKES_MINIMAL = re.compile(r"gemini-3-flash|gemini-3\.5-flash|gemini-[\d.]+-flash-lite|gemini-flash-lite-latest")


@dataclass(frozen=True, slots=True)
class Retirement:
    """`successor`: the model that Google answers with instead, and bills; "" where it answers 404."""

    day: date
    recommended: str
    successor: str = ""


# From Google's page of Gemini deprecations, read in November 2026. gemini-2.5-flash-lite is not on it.
RETIRED: Mapping[str, Retirement] = MappingProxyType(
    {
        "gemini-2.0-flash": Retirement(date(2026, 6, 1), DEFAULT_MODEL),
        "gemini-2.0-flash-001": Retirement(date(2026, 6, 1), DEFAULT_MODEL),
        "gemini-2.0-flash-lite": Retirement(date(2026, 6, 1), DEFAULT_MODEL),
        "gemini-2.0-flash-lite-001": Retirement(date(2026, 6, 1), DEFAULT_MODEL),
        "gemini-2.5-flash": Retirement(date(2026, 12, 1), DEFAULT_MODEL, successor=DEFAULT_MODEL),
        "gemini-2.5-pro": Retirement(date(2026, 12, 1), "gemini-3.8-flash", successor="gemini-3.8-flash"),
        "gemini-3-pro-preview": Retirement(date(2026, 3, 9), "gemini-3.1-pro-preview"),
    }
)


def retirement_warning(model: str, today: date) -> str:
    """One sentence on a model that Google shuts down, or has shut down; "" for any other."""
    if (retired := RETIRED.get(model)) is None:
        return ""
    shut_down = "was shut down" if retired.day <= today else "will be shut down"
    instead = f"; Google then answers, and bills, as {retired.successor}" if retired.successor else ""
    return f"{model} {shut_down} on {retired.day}{instead}: set GEMINI_MODEL to {retired.recommended}"


def generation_config(model: str, thinking: Thinking, answer_tokens: int) -> dict[str, Any]:
    """The part of `generationConfig` that depends on the model: limits and thinking in the form that it takes, and
    sampling parameters only for models before generation 3, for which Google advises against them.

    `answer_tokens`: the longest answer wanted, without thoughts.
    """
    thinking_config = _thinking_config(model, thinking)
    generation = _generation(model)
    room = max(THINKING_TOKENS[thinking], LEAST_ROOM)
    return {
        "maxOutputTokens": min(answer_tokens + room, MOST_OUTPUT_TOKENS),
        **({"thinkingConfig": thinking_config} if thinking_config else {}),
        **({"temperature": 0} if generation and generation < (3, 0) else {}),
    }


def _thinking_config(model: str, thinking: Thinking) -> dict[str, Any]:
    """Nothing for models of which it is not known that they think: they refuse it."""
    generation = _generation(model)
    if thinking == "default" or generation is None or generation < (2, 5):
        return {}
    if generation >= (3, 0):
        is_taken = thinking != "minimal" or _TAKES_MINIMAL.match(model)
        return {"thinkingLevel": thinking if is_taken else "low"}
    budget = THINKING_TOKENS[thinking]
    return {"thinkingBudget": max(budget, LEAST_BUDGET_OF_PRO) if "-pro" in model else budget}


def _generation(model: str) -> tuple[int, int] | None:
    """(3, 5) of gemini-3.5-flash-lite; the names that end in -latest are of generation 3; None: not known."""
    if found := _NUMBERED.match(model):
        return int(found[1]), int(found[2] or 0)
    return (3, 0) if _LATEST.fullmatch(model) else None
