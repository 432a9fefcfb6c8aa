"""The models of the Gemini simulator, by API version, and their thinking settings."""

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

Version = Literal["v1", "v1beta"]
# Google serves some models that it has shut down with their successors, and bills those.
ROUTED = {"gemini-2.5-flash": "gemini-3.5-flash-lite", "gemini-2.5-pro": "gemini-3.8-flash"}
SHUT_DOWN = re.compile(r"gemini-(1|2\.0)[.-].*|gemini-pro|gemini-3-pro-preview")
ONLY_IN_BETA = re.compile(r".*-(latest|preview|exp)(-.*)?")
KNOWN = re.compile(r"(gemini|gemma)-[a-z0-9.-]+")
LEVELS = {"minimal": 0, "low": 64, "medium": 256, "high": 1024}  # thinking tokens per item
DEFAULT_LEVEL = "medium"
NUMBERED = re.compile(r"gemini-(\d+(?:\.\d+)?)")


class NotServed(Exception):
    """The message is the one of Google's API."""


class BadConfig(ValueError):
    """A generationConfig that this model refuses."""


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """In tokens per answer; `most` includes `thoughts`."""

    thoughts: int
    most: float


def serving(model: str, version: Version) -> str:
    """The name of the model that serves the request. Raises NotServed."""
    is_served = KNOWN.fullmatch(model) and not SHUT_DOWN.fullmatch(model)
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
    version = NUMBERED.match(model)
    is_3_or_later = not version or float(version[1]) >= 3
    if level is not None and budget is not None:
        raise BadConfig("You can only set only one of thinking budget and thinking level.")
    if level is not None and not is_3_or_later:
        raise BadConfig("Thinking level is not supported for this model.")
    if level is not None and level not in LEVELS:
        raise BadConfig(f"Invalid value at 'generation_config.thinking_config.thinking_level': {level!r}")
    if level == "minimal" and re.search("3\\.[678]-flash$|-pro", model):
        raise BadConfig("Thinking level MINIMAL is not supported for this model.")
    thoughts = (
        LEVELS[level or DEFAULT_LEVEL] * items if budget is None else min(int(budget), LEVELS[DEFAULT_LEVEL] * items)
    )
    return AnswerLimits(thoughts, config.get("maxOutputTokens") or math.inf)
