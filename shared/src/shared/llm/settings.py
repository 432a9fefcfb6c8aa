"""A worker's settings for Gemini: keys, model, endpoint, thinking, quotas, prices, budget."""

import re
from math import inf
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, SecretStr, model_validator

from shared.llm.daily_limits import UsedToday
from shared.llm.endpoint import GOOGLE, Endpoint
from shared.llm.gemini_keys import Keys, fits_a_header, split
from shared.llm.models import DEFAULT_MODEL, Thinking
from shared.llm.prices import Prices
from shared.llm.rate_limit import Quota
from shared.settings import Settings, env

_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")


def _price_list(value: str) -> str:
    Prices.of(value, requested="")
    return value


def _model_name(value: str) -> str:
    name = value.strip().removeprefix("models/")
    if not _MODEL_NAME.fullmatch(name):
        raise ValueError(f"must be the name of a model, such as {DEFAULT_MODEL}")
    return name


class GeminiSettings(Settings):
    """Each worker's settings name the variables of `thinking` and `answer_tokens` (the longest answer without
    thoughts)."""

    thinking: Thinking
    answer_tokens: int
    api_key: SecretStr | None = env("GEMINI_API_KEY", "GOOGLE_AI_API_KEY", default=None)
    api_keys: SecretStr | None = env("GEMINI_API_KEYS", default=None)
    keys_file: Path | None = env("GEMINI_API_KEYS_FILE", default=None)
    own_projects: bool = env("GEMINI_KEYS_OF_OWN_PROJECTS", default=False)
    model: Annotated[str, AfterValidator(_model_name)] = env("GEMINI_MODEL", default=DEFAULT_MODEL, min_length=1)
    base_url: Annotated[str, AfterValidator(Endpoint.checked)] = env(
        "GOOGLE_GEMINI_BASE_URL", default=GOOGLE, pattern="^https?://"
    )
    api_version: str | None = env("GEMINI_API_VERSION", default=None, pattern="^v[1-9][a-z0-9]*$")
    call_timeout_seconds: float = env("GEMINI_TIMEOUT_SECONDS", default=120.0, gt=0, le=3600)
    requests_per_minute: float | None = env("GEMINI_REQUESTS_PER_MINUTE", default=None, gt=0)
    tokens_per_minute: float | None = env("GEMINI_TOKENS_PER_MINUTE", default=None, gt=0)
    requests_per_day: float | None = env("GEMINI_REQUESTS_PER_DAY", default=None, gt=0)
    tokens_per_day: float | None = env("GEMINI_TOKENS_PER_DAY", default=None, gt=0)
    quota_share: float = env("GEMINI_QUOTA_SHARE", default=1.0, gt=0, le=1)
    price_list: Annotated[str, AfterValidator(_price_list)] = env("TOPICFLOW_PRICES", default="")
    daily_budget: float | None = env("TOPICFLOW_DAILY_BUDGET", default=None, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        if not self._values:
            raise ValueError("GEMINI_API_KEY: not set (`topicflow up` starts a simulator instead)")
        return self

    @model_validator(mode="after")
    def _keys_fit_a_header(self) -> Self:
        for number, value in enumerate(self._values, 1):
            if not fits_a_header(value):
                name = "GEMINI_API_KEYS" if self.api_keys else "GEMINI_API_KEY"
                raise ValueError(f"{name}: key {number} contains characters that are not allowed in an HTTP header")
        return self

    @model_validator(mode="after")
    def _budget_needs_a_price(self) -> Self:
        if self.daily_budget is not None and not self.prices.has(self.model):
            raise ValueError(
                f"TOPICFLOW_DAILY_BUDGET: no price is known for {self.model[:100]!r}, so it cannot be enforced; "
                "set one in TOPICFLOW_PRICES, as model=in/out in US dollars per million tokens"
            )
        return self

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint.of(self.base_url, self.api_version)

    @property
    def quota(self) -> Quota:
        """The quota of all workers of this kind together."""
        return Quota(self._part_of(self.requests_per_minute), self._part_of(self.tokens_per_minute))

    @property
    def daily_limits(self) -> UsedToday:
        budget = inf if self.daily_budget is None else self.daily_budget
        return UsedToday(self._part_of(self.requests_per_day), self._part_of(self.tokens_per_day), budget)

    def _part_of(self, limit: float | None) -> float:
        """This installation's part of the quota of one project, or of one project per key."""
        projects = len(self._values) if self.own_projects else 1
        return inf if limit is None else limit * self.quota_share * projects

    @property
    def prices(self) -> Prices:
        return Prices.of(self.price_list, self.model)

    @property
    def _values(self) -> list[str]:
        """GEMINI_API_KEYS, or else the single key."""
        keys = self.api_keys or self.api_key
        return split(keys.get_secret_value()) if keys else []

    @property
    def keys(self) -> Keys:
        return Keys(self._values, self.keys_file if self.api_keys else None)
