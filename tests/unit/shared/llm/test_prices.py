"""The cost of a call: Google's price, a configured price, and the price of an unknown model."""

import subprocess
import sys
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.events import TOKENS
from shared.llm.gemini import Answer
from shared.llm.prices import Cost, Prices, Tokens
from shared.llm.usage import shares

CALL = Tokens(sent=1_000_000, cached=400_000, answered=3_000_000)
FLASH_LITE = 0.6 * 0.30 + 0.4 * 0.03 + 3 * 2.50  # gemini-3.5-flash-lite, as gemini-2.5-flash
approx: Any = pytest.approx
UNKNOWN = "gemini-9-nobody-knows"


def google(requested: str = "gemini-3.5-flash-lite") -> Prices:
    return Prices.of("", requested)


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("gemini-3.5-flash-lite", FLASH_LITE),
        ("gemini-3.5-flash-lite-001", FLASH_LITE),
        ("models/gemini-3.5-flash-lite", FLASH_LITE),
        ("gemini-2.5-flash", FLASH_LITE),
        ("gemini-2.5-flash-lite", 0.6 * 0.10 + 0.4 * 0.01 + 3 * 0.40),
    ],
)
def test_a_model_has_the_price_of_google(model: str, dollars: float) -> None:
    assert google().cost(model, CALL) == Cost(approx(dollars))


def test_the_answering_model_is_priced_not_the_requested_one() -> None:
    prices = google("gemini-2.5-flash-lite")
    assert prices.cost("gemini-3.5-flash-lite", CALL) == Cost(approx(FLASH_LITE))


def test_a_configured_price_overrides_the_price_of_google() -> None:
    prices = Prices.of("gemini-3.5-flash=10/20, mine=3/4/1", "mine")
    assert prices.cost("gemini-3.5-flash", CALL).dollars == pytest.approx(10 + 60)
    assert prices.cost("mine", CALL).dollars == pytest.approx(0.6 * 3 + 0.4 * 1 + 12)
    assert prices.cost("gemini-2.5-flash", CALL).dollars == pytest.approx(FLASH_LITE)


def test_an_unknown_model_is_priced_as_the_requested_one_and_logged_once() -> None:
    prices = google()
    with capture_logs() as logged:
        found = [prices.cost(UNKNOWN, CALL) for _ in range(3)]
    assert found == [Cost(approx(FLASH_LITE), priced_as="gemini-3.5-flash-lite")] * 3
    assert [(line["event"], line["model"], line["priced_as"]) for line in logged] == [
        ("price_unknown", UNKNOWN, "gemini-3.5-flash-lite")
    ]
    [problem] = prices.problems
    assert problem.code == "price_unknown"
    assert f"{UNKNOWN}: its calls are priced as gemini-3.5-flash-lite;" in problem.text


def test_if_the_requested_model_is_unknown_too_the_most_expensive_price_applies() -> None:
    prices = google(requested="of-our-own")
    found = prices.cost(UNKNOWN, CALL)
    assert found.priced_as.startswith("gemini-")
    assert found.dollars > prices.cost("gemini-3.1-pro-preview", CALL).dollars * 0.9
    own = Prices.of("gold=1000/1000", "of-our-own")
    assert own.cost(UNKNOWN, CALL) == Cost(approx(4000), priced_as="gold")


def test_prices_report_whether_a_model_is_known() -> None:
    prices = Prices.of("mine=1/2", "mine")
    assert [prices.has(model) for model in ("mine", "mine-2", "gemini-3.8-flash", UNKNOWN)] == [True, True, True, False]


def test_the_price_table_has_the_default_model_at_its_price_of_november_2026() -> None:
    """From `genai-prices`. If this fails after an upgrade, check the table before changing the figures."""
    per_million = [Tokens(1_000_000, 0, 0), Tokens(1_000_000, 1_000_000, 0), Tokens(0, 0, 1_000_000)]
    assert [google().cost("gemini-3.5-flash-lite", tokens).dollars for tokens in per_million] == [0.30, 0.03, 2.50]


def test_without_a_cached_price_cached_tokens_have_the_normal_price() -> None:
    assert Prices.of("m=1/10", "m").cost("m", CALL) == Cost(approx(1 + 30))


@pytest.mark.parametrize("version", ["-001", "-2026-05-01", "-latest", "-preview", "-preview-09-2026", "-exp-0801"])
def test_a_configured_price_applies_to_versions_of_its_model(version: str) -> None:
    assert Prices.of("mine=1/2", "x").cost(f"mine{version}", CALL) == Cost(approx(1 + 6))


def test_a_configured_price_does_not_apply_to_another_model_whose_name_goes_on() -> None:
    prices = Prices.of("gemini-3.5-flash=10/20", "gemini-3.5-flash")
    assert prices.cost("gemini-3.5-flash-lite", CALL) == Cost(approx(FLASH_LITE))
    assert prices.cost("gemini-3.5-flash-lite-001", CALL) == Cost(approx(FLASH_LITE))


@pytest.mark.parametrize("text", ["secret=1/2, secret=3/4", "m=1/2, secret=a/b"])
def test_a_refusal_names_the_entry_and_none_of_its_text(text: str) -> None:
    with pytest.raises(ValueError, match="entry 2: ") as refused:
        Prices.of(text, "m")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("text", ["m", "m=", "m=1", "m=1/2/3/4", "m=a/b", "=1/2", "m=-1/2", "m=nan/1", "m=1/2; n=1/2"])
def test_an_invalid_price_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="US dollars per million tokens"):
        Prices.of(text, "m")


@pytest.mark.parametrize("of", [1, 2, 3, 5])
def test_shares_add_up_to_the_whole_call(of: int) -> None:
    tokens = {name: 1_000 + n for n, name in enumerate(TOKENS)} | {"tokens_cached": 7}
    answer = Answer("{}", "STOP", None, "m", **tokens, seconds=0.1234, simulated=True)
    prices = Prices.of("m=1/10/0.1", "m")
    paid = shares(answer, [""] * (of - 1) + ["invalid"], prompt_version="1", prices=prices)
    for name, whole in tokens.items():
        assert sum(getattr(share, name) for share in paid) == whole
    answered = tokens["tokens_out"] + tokens["tokens_thought"]
    whole_cost = prices.cost("m", Tokens(tokens["tokens_in"], tokens["tokens_cached"], answered)).dollars
    assert sum(share.cost or 0 for share in paid) == pytest.approx(whole_cost)
    assert {share.call_id for share in paid} == {paid[0].call_id}
    assert [share.wasted for share in paid] == [""] * (of - 1) + ["invalid"]
    assert {(share.shared_by, share.simulated, share.priced_as) for share in paid} == {(of, True, "")}


def test_each_share_has_the_model_whose_price_was_used() -> None:
    answer = Answer("{}", "STOP", None, UNKNOWN, 1000, 1000, 0, 0, 0.1, simulated=True)
    [share] = shares(answer, [""], prompt_version="1", prices=google())
    assert (share.model, share.priced_as) == (UNKNOWN, "gemini-3.5-flash-lite")
    assert share.cost == pytest.approx(0.0028)


def test_the_price_table_is_loaded_only_when_a_price_is_needed() -> None:
    """It takes 0.3 s, and the API never needs it."""
    code = (
        "import os, sys; os.environ['GEMINI_API_KEY'] = 'k'\n"
        "import api.app, topic_worker.app, enricher.app\n"
        "from topic_worker.settings import WorkerSettings\n"
        "prices = WorkerSettings.load().prices\n"
        "assert 'genai_prices' not in sys.modules\n"
        "prices.has('gemini-3.5-flash-lite')\n"
        "assert 'genai_prices' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
