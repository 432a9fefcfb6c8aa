"""Request options of each model generation, and retired models."""

from datetime import date
from typing import Any

import pytest

from shared.llm.endpoint import Endpoint
from shared.llm.models import DEFAULT_MODEL, RETIRED, Thinking, generation_config, retirement_warning

SAMPLING = {"temperature", "topP", "topK"}


@pytest.mark.parametrize(
    ("model", "level", "sent"),
    [
        ("gemini-3.5-flash-lite", "minimal", {"thinkingLevel": "minimal"}),
        ("gemini-3.5-flash-lite", "high", {"thinkingLevel": "high"}),
        ("gemini-flash-lite-latest", "minimal", {"thinkingLevel": "minimal"}),
        ("gemini-3.8-flash", "minimal", {"thinkingLevel": "low"}),  # it has no minimal
        ("gemini-flash-latest", "minimal", {"thinkingLevel": "low"}),
        ("gemini-3.1-pro-preview", "minimal", {"thinkingLevel": "low"}),
        ("gemini-4-argon", "medium", {"thinkingLevel": "medium"}),
        ("gemini-2.5-flash", "minimal", {"thinkingBudget": 0}),
        ("gemini-2.5-flash-lite", "low", {"thinkingBudget": 1024}),
        ("gemini-2.5-pro", "minimal", {"thinkingBudget": 128}),  # it cannot stop thinking
        ("gemini-2.0-flash", "low", None),  # it does not think
        ("gemma-3-27b-it", "low", None),
        ("of-our-own", "low", None),
        ("gemini-3.5-flash-lite", "default", None),
    ],
)
def test_thinking_is_set_by_the_option_of_the_model_generation(
    model: str, level: Thinking, sent: dict[str, Any] | None
) -> None:
    assert generation_config(model, level, 1000).get("thinkingConfig") == sent


@pytest.mark.parametrize("model", [DEFAULT_MODEL, "gemini-3.8-flash", "gemini-flash-latest", "gemini-4-argon", "x"])
def test_generation_3_is_sent_no_sampling_parameters(model: str) -> None:
    assert not SAMPLING & generation_config(model, "low", 1000).keys()


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.0-flash"])
def test_older_models_have_temperature_zero(model: str) -> None:
    assert generation_config(model, "low", 1000)["temperature"] == 0


@pytest.mark.parametrize("model", [DEFAULT_MODEL, "gemini-2.5-flash", "gemma-3-27b-it", "of-our-own"])
def test_every_answer_has_a_limit_with_room_for_thoughts(model: str) -> None:
    limits = [generation_config(model, level, 4096)["maxOutputTokens"] for level in ("minimal", "low", "medium")]
    assert limits == [4096 + 1024, 4096 + 1024, 4096 + 8192]
    assert generation_config(model, "high", 60_000)["maxOutputTokens"] == 65_536


@pytest.mark.parametrize(
    ("today", "words"),
    [(date(2026, 11, 30), "will be shut down on 2026-12-01"), (date(2026, 12, 1), "was shut down on 2026-12-01")],
)
def test_a_retired_model_is_named_with_its_day_and_its_successor(today: date, words: str) -> None:
    warning = retirement_warning("gemini-2.5-flash", today)
    assert words in warning
    assert "answers, and bills, as gemini-3.5-flash-lite" in warning
    assert warning.endswith("set GEMINI_MODEL to gemini-3.5-flash-lite")


def test_the_default_and_recommended_models_are_not_retired() -> None:
    for model in {DEFAULT_MODEL, *(retired.recommended for retired in RETIRED.values())}:
        assert retirement_warning(model, date(2026, 12, 1)) == ""


@pytest.mark.parametrize(
    ("url", "version", "called"),
    [
        ("https://g.example", None, "https://g.example/v1beta"),
        ("https://g.example/", "v1", "https://g.example/v1"),
        ("https://g.example/v1beta", None, "https://g.example/v1beta"),
        ("https://g.example/v1/", None, "https://g.example/v1"),
        ("https://g.example/v1", "v1beta", "https://g.example/v1beta"),
        ("https://g.example/gemini/v1alpha", None, "https://g.example/gemini/v1alpha"),
        ("https://me:secret@g.example/v1beta", None, "https://g.example/v1beta"),
        ("https://g.example/v", None, "https://g.example/v/v1beta"),
    ],
)
def test_a_base_url_with_a_version_is_understood(url: str, version: str | None, called: str) -> None:
    assert Endpoint.of(url, version).shown("m") == f"{called}/models/m:generateContent"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "g.example",
        "ftp://g.example",
        "http://",
        "http://[",
        "http://g.example:port",
        "http://g.example:99999",
        "http://g example",
        "https://g.example/v1beta?key=1",
        "https://g.example/#v1",
        "https://g.example/v1beta/models",
        "https://g.example/v1beta/models/gemini:generateContent",
    ],
)
def test_a_base_url_that_cannot_be_called_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="expected http") as refused:
        Endpoint.checked(url)
    assert "g.example" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["https://g.example", "http://127.0.0.1:80/v1beta/", "https://me:secret@[::1]:1/gemini"]
)
def test_any_other_base_url_is_taken_as_it_is(url: str) -> None:
    assert Endpoint.checked(url) == url
