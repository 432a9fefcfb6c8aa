"""Which models the simulator for Gemini has, on which version of the API, and how each takes thinking."""

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

Version = Literal["v1", "v1beta"]
# Google answers requests for a model that it has shut down with its successor, and bills them as that.
ROUTED = {"gemini-2.5-flash": "gemini-3.5-flash-lite", "gemini-2.5-pro": "gemini-3.8-flash"}
GONE = re.compile(r"gemini-(1|2\.0)[.-].*|gemini-pro|gemini-3-pro-preview")
ONLY_IN_BETA = re.compile(r".*-(latest|preview|exp)(-.*)?")
KNOWN = re.compile(r"(gemini|gemma)-[a-z0-9.-]+")
LEVELS = {"minimal": 0, "low": 64, "medium": 256, "high": 1024}  # tokens thought about each item
BY_ITSELF = "medium"  # what a model thinks that nobody tells how much
NUMBERED = re.compile(r"gemini-(\d+(?:\.\d+)?)")


class NotServed(Exception):
    """The message is Google's."""


class BadConfig(ValueError):
    """A generationConfig that this model refuses."""


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """Of one answer, in tokens; `most` includes what is thought."""

    thoughts: int
    most: float


def serving(model: str, version: Version) -> str:
    """The name of the model that answers. Raises NotServed."""
    is_served = KNOWN.fullmatch(model) and not GONE.fullmatch(model)
    if not is_served or (version == "v1" and ONLY_IN_BETA.fullmatch(model)):
        raise NotServed(
            f"models/{model} is not found for API version {version}, or is not supported for generateContent. "
            "Call ModelService.ListModels to see the list of available models and their supported methods."
        )
    return ROUTED.get(model, model)


def limits(model: str, config: dict[str, Any], items: int) -> AnswerLimits:
    """Raises BadConfig."""
    thinking = config.get("thinkingConfig") or {}
    level, budget = thinking.get("thinkingLevel"), thinking.get("thinkingBudget")
    found = NUMBERED.match(model)
    is_third = not found or float(found[1]) >= 3
    if level is not None and budget is not None:
        raise BadConfig("You can only set only one of thinking budget and thinking level.")
    if level is not None and not is_third:
        raise BadConfig("Thinking level is not supported for this model.")
    if level is not None and level not in LEVELS:
        raise BadConfig(f"Invalid value at 'generation_config.thinking_config.thinking_level': {level!r}")
    if level == "minimal" and re.search("3\\.[678]-flash$|-pro", model):
        raise BadConfig("Thinking level MINIMAL is not supported for this model.")
    thoughts = LEVELS[level or BY_ITSELF] * items if budget is None else min(int(budget), LEVELS[BY_ITSELF] * items)
    return AnswerLimits(thoughts, config.get("maxOutputTokens") or math.inf)
