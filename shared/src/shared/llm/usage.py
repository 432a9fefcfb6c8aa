"""One paid call as what each submission that shared it is charged for: tokens and cost add up to the whole call."""

from collections.abc import Mapping, Sequence
from uuid import uuid4

from shared.events import TOKENS, Usage
from shared.llm.gemini import Answer
from shared.llm.prices import Cost, Prices, Tokens


def shares(answer: Answer, wasted: Sequence[str], *, prompt_version: str, prices: Prices) -> list[Usage]:
    """One a submission, in their order. `wasted`: why the answer is of no use to it, "" where it is."""
    call_id, of = str(uuid4()), len(wasted)
    return [
        Usage(
            call_id=call_id,
            model=answer.model,
            prompt_version=prompt_version,
            **(tokens := {name: _share(getattr(answer, name), n, of) for name in TOKENS}),
            cost=(cost := _cost(answer.model, tokens, prices)).dollars,
            priced_as=cost.priced_as,
            seconds=round(answer.seconds, 3),
            shared_by=of,
            finish_reason=answer.finish_reason,
            simulated=answer.simulated,
            wasted=reason,
        )
        for n, reason in enumerate(wasted)
    ]


def _cost(model: str, tokens: Mapping[str, int], prices: Prices) -> Cost:
    answered = tokens["tokens_out"] + tokens["tokens_thought"]
    return prices.cost(model, Tokens(tokens["tokens_in"], tokens["tokens_cached"], answered))


def _share(total: int, n: int, of: int) -> int:
    """Whole tokens."""
    return total * (n + 1) // of - total * n // of
