"""What tokens cost: by model, cached ones cheaper, thoughts as answers; a price list that is wrong is refused."""

import pytest

from shared.events import TOKENS
from shared.llm import Answer
from shared.paid_call import shares
from shared.prices import GEMINI, Prices

TOKENS_OF = {"tokens_in": 1_000_000, "tokens_out": 2_000_000, "tokens_cached": 400_000, "tokens_thought": 1_000_000}


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        ("gemini-2.5-flash", 0.6 * 0.30 + 0.4 * 0.03 + 3 * 2.50),
        ("gemini-2.5-flash-preview-09-2025", 0.6 * 0.30 + 0.4 * 0.03 + 3 * 2.50),
        ("gemini-2.5-flash-lite", 0.6 * 0.10 + 0.4 * 0.01 + 3 * 0.40),
        ("gemini-2.5-flashy", None),
        ("another", None),
    ],
)
def test_a_model_costs_what_the_longest_name_it_begins_with_costs(model: str, cost: float | None) -> None:
    assert Prices.of(GEMINI).cost(model, **TOKENS_OF) == (cost if cost is None else pytest.approx(cost))


def test_without_a_price_for_what_is_cached_it_costs_what_is_not() -> None:
    assert Prices.of("m=1/10").cost("m", **TOKENS_OF) == pytest.approx(1 + 30)


def test_no_prices_at_all_are_a_choice() -> None:
    assert Prices.of(" ").cost("gemini-2.5-flash", **TOKENS_OF) is None


@pytest.mark.parametrize("text", ["m", "m=", "m=1", "m=1/2/3/4", "m=a/b", "=1/2", "m=-1/2", "m=nan/1", "m=1/2; n=1/2"])
def test_what_is_no_price_list_is_refused_by_its_entry(text: str) -> None:
    with pytest.raises(ValueError, match="US dollars a million tokens"):
        Prices.of(text)


@pytest.mark.parametrize("of", [1, 2, 3, 5])
def test_shares_add_up_to_the_whole_call(of: int) -> None:
    told = {name: 1_000 + n for n, name in enumerate(TOKENS)} | {"tokens_cached": 7}
    answer = Answer("{}", "STOP", None, "m", **told, seconds=0.1234, simulated=True)
    paid = shares(answer, [""] * (of - 1) + ["invalid"], prompt_version="1", prices=Prices.of("m=1/10/0.1"))
    for name, whole in told.items():
        assert sum(getattr(share, name) for share in paid) == whole
    whole_cost = Prices.of("m=1/10/0.1").cost("m", **told)
    assert sum(share.cost or 0 for share in paid) == pytest.approx(whole_cost)
    assert {share.call_id for share in paid} == {paid[0].call_id}
    assert [share.wasted for share in paid] == [""] * (of - 1) + ["invalid"]
    assert {(share.shared_by, share.simulated) for share in paid} == {(of, True)}
