"""The decision for each error, as a table."""

import pytest

from shared.errors import InvalidEvent, KeyRefused, RateLimited, Refused, Transient, Unavailable
from shared.resilience.backoff import RetryPolicy
from shared.resilience.retry import DeadLetter, Decision, Fail, Pause, Retry, decide

POLICY = RetryPolicy(tries=3, first_pause=0.5, longest_pause=30, bugs_in_a_row=5)
TIMEOUT = Transient("timeout", "no answer")


@pytest.mark.parametrize(
    ("error", "tries", "bugs", "decision"),
    [
        (TIMEOUT, 2, 1, Fail("timeout", "no answer")),
        (TIMEOUT, 7, 1, Fail("timeout", "no answer")),
        (TIMEOUT, 2, 99, Fail("timeout", "no answer")),
        (RateLimited("429", 12.5), 0, 1, Pause("rate_limited", "429", 12.5)),
        (RateLimited("429"), 99, 99, Pause("rate_limited", "429", None)),
        (Unavailable("503"), 2, 1, Pause("unavailable", "503", None)),
        (KeyRefused("401"), 0, 1, Pause("key_refused", "401", None)),
        (Refused("blocked", "no"), 0, 1, Fail("blocked", "no")),
        (Refused("blocked", "no"), 0, 99, Fail("blocked", "no")),
        (InvalidEvent("no title"), 0, 1, DeadLetter("invalid_event", "no title")),
        (InvalidEvent("no title"), 0, 99, DeadLetter("invalid_event", "no title")),
        (KeyError("x"), 0, 4, DeadLetter("bug", "KeyError: 'x'")),
        (
            KeyError("x"),
            0,
            5,
            Pause("bug", "5 submissions in a row failed with an unexpected error: KeyError('x')", None),
        ),
    ],
)
def test_each_error_has_its_decision(error: Exception, tries: int, bugs: int, decision: Decision) -> None:
    assert decide(error, tries, POLICY, bugs) == decision


@pytest.mark.parametrize("tries", [0, 1])
def test_a_transient_error_is_tried_again_while_tries_are_left(tries: int) -> None:
    decision = decide(TIMEOUT, tries, POLICY)
    assert isinstance(decision, Retry)
    assert (decision.code, decision.message) == ("timeout", "no answer")
    assert 0.25 * 2**tries <= decision.after <= 0.5 * 2**tries
