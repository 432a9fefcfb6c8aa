"""Whether a call without an answer is an outage: by later answers, a free probe, and the number of such calls."""

import time

from shared.resilience.outage_detection import SEVERAL, OutageDetector


class Probe:
    def __init__(self, is_answered: bool) -> None:
        self.is_answered = is_answered
        self.calls = 0

    async def __call__(self) -> bool:
        self.calls += 1
        return self.is_answered


async def test_a_probe_decides_about_the_only_one_that_was_asked() -> None:
    assert await OutageDetector(Probe(is_answered=False)).is_outage("a", time.monotonic())
    assert not await OutageDetector(Probe(is_answered=True)).is_outage("a", time.monotonic())


async def test_what_was_answered_meanwhile_speaks_against_it_without_a_probe() -> None:
    probe = Probe(is_answered=False)
    detector = OutageDetector(probe)
    began = time.monotonic()
    detector.answered()
    assert not await detector.is_outage("a", began)
    assert probe.calls == 0
    assert await detector.is_outage("a", time.monotonic())


async def test_one_that_is_never_answered_is_no_outage_however_often_it_is_asked() -> None:
    detector = OutageDetector(Probe(is_answered=True))
    for _ in range(3 * SEVERAL):
        assert not await detector.is_outage("a", time.monotonic())


async def test_several_different_ones_in_a_row_are_one_whatever_the_probe_says_until_something_is_answered() -> None:
    detector = OutageDetector(Probe(is_answered=True))
    found = [await detector.is_outage(f"{n}", time.monotonic()) for n in range(SEVERAL + 1)]
    assert found == [False] * (SEVERAL - 1) + [True] * 2
    assert await detector.is_outage("0", time.monotonic())
    detector.answered()
    assert not await detector.is_outage("0", time.monotonic())
