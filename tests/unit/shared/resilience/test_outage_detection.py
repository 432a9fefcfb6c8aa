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


async def test_a_probe_decides_for_a_single_call() -> None:
    assert await OutageDetector(Probe(is_answered=False)).is_outage("a", time.monotonic())
    assert not await OutageDetector(Probe(is_answered=True)).is_outage("a", time.monotonic())


async def test_an_answered_call_in_the_meantime_rules_out_an_outage_without_a_probe() -> None:
    probe = Probe(is_answered=False)
    detector = OutageDetector(probe)
    began = time.monotonic()
    detector.answered()
    assert not await detector.is_outage("a", began)
    assert probe.calls == 0
    assert await detector.is_outage("a", time.monotonic())


async def test_one_request_without_answers_is_no_outage_however_often_it_is_repeated() -> None:
    detector = OutageDetector(Probe(is_answered=True))
    for _ in range(3 * SEVERAL):
        assert not await detector.is_outage("a", time.monotonic())


async def test_several_different_requests_without_answers_are_an_outage_until_one_is_answered() -> None:
    detector = OutageDetector(Probe(is_answered=True))
    found = [await detector.is_outage(f"{n}", time.monotonic()) for n in range(SEVERAL + 1)]
    assert found == [False] * (SEVERAL - 1) + [True] * 2
    assert await detector.is_outage("0", time.monotonic())
    detector.answered()
    assert not await detector.is_outage("0", time.monotonic())
