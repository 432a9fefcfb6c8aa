"""Splits a paid call between the submissions that shared it: their tokens and cost add up to those of the call."""

from collections.abc import Mapping, Sequence
from uuid import uuid4

from shared.events import TOKENS, Usage
from shared.llm.gemini import Answer
from shared.llm.prices import Cost, Prices, Tokens


def shares(answer: Answer, wasted: Sequence[str], *, prompt_version: str, prices: Prices) -> list[Usage]:
    """One usage per submission, in order. `wasted`: why the answer is useless to each submission; "": it is usable."""
    call_id, count = str(uuid4()), len(wasted)
    return [
        Usage(
            call_id=call_id,
            model=answer.model,
            prompt_version=prompt_version,
            **(tokens := {name: _share(getattr(answer, name), n, count) for name in TOKENS}),
            cost=(cost := _cost(answer.model, tokens, prices)).dollars,
            priced_as=cost.priced_as,
            seconds=round(answer.seconds, 3),
            shared_by=count,
            finish_reason=answer.finish_reason,
            simulated=answer.simulated,
            wasted=reason,
        )
        for n, reason in enumerate(wasted)
    ]


def _cost(model: str, tokens: Mapping[str, int], prices: Prices) -> Cost:
    output = tokens["tokens_out"] + tokens["tokens_thought"]
    return prices.cost(model, Tokens(tokens["tokens_in"], tokens["tokens_cached"], output))


def _share(total: int, n: int, count: int) -> int:
    """Share `n` of `count`; the shares are integers that add up to `total`."""
    return total * (n + 1) // count - total * n // count
