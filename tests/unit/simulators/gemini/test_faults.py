"""Start, end and share of the faults of the simulator of Gemini, with a fake clock."""

import pytest

from simulators.gemini.faults import GeminiFault
from simulators.gemini.faults import GeminiFaults as Faults

TITLES = ["Oats"]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def affected(faults: Faults, calls: int) -> list[int]:
    """The numbers of the calls with a fault, counted from 1."""
    return [n for n in range(1, calls + 1) if faults.of_call(TITLES)]


def test_a_script_begins_and_ends_by_the_clock() -> None:
    clock = Clock()
    faults = Faults(clock)
    script = [
        GeminiFault(fault="503", for_seconds=20),
        GeminiFault(fault="429", after_seconds=20, for_seconds=30),
        GeminiFault(fault="hang", after_seconds=60),
    ]
    faults.inject(script)
    seen = []
    for clock.now in (100, 119.9, 120, 149.9, 150, 159.9, 160, 9999):
        fault = faults.of_call(TITLES)
        seen.append(fault.fault if fault else None)
    assert seen == ["503", "503", "429", "429", None, None, "hang", "hang"]


def test_a_scheduled_fault_is_listed_and_affects_no_call() -> None:
    clock = Clock()
    faults = Faults(clock)
    faults.inject([GeminiFault(fault="503", after_seconds=5, for_seconds=2, times=3)])
    fields = {"fault": "503", "after_seconds": 5, "for_seconds": 2, "times": 3, "times_left": 3}
    assert faults.as_dicts() == [fields | {"begins_in_seconds": 5}]
    assert (faults.of_call(TITLES), faults.of_probe()) == (None, None)
    clock.now += 6
    assert faults.as_dicts() == [fields | {"seconds_left": 1}]
    assert faults.of_probe() == GeminiFault(fault="503", after_seconds=5, for_seconds=2, times=3)
    clock.now += 1
    assert faults.as_dicts() == []


@pytest.mark.parametrize(
    ("share", "calls"), [(0.05, [20, 40, 60]), (0.3, [4, 7, 10, 14, 17, 20]), (1 / 3, [3, 6, 9]), (0.75, [2, 3, 4])]
)
def test_a_share_affects_calls_at_regular_intervals(share: float, calls: list[int]) -> None:
    faults = Faults()
    faults.inject([GeminiFault(fault="slow", share=share)])
    assert affected(faults, calls[-1]) == calls


def test_a_share_is_exact_over_many_calls() -> None:
    for percent in range(1, 101):
        faults = Faults()
        faults.inject([GeminiFault(fault="slow", share=percent / 100)])
        assert len(affected(faults, 1000)) == 10 * percent


def test_a_share_counts_calls_in_its_scope_and_leaves_others_to_the_next_fault() -> None:
    faults = Faults()
    faults.inject([GeminiFault(fault="500", share=0.5, title_contains="oats"), GeminiFault(fault="503", times=1)])
    seen = [faults.of_call([title]) for title in ("Rye", "Oats", "Rye", "Oats", "Oats", "Oats")]
    assert [fault.fault if fault else None for fault in seen] == ["503", None, None, "500", None, "500"]


def test_times_are_those_of_the_share() -> None:
    faults = Faults()
    faults.inject([GeminiFault(fault="503", share=0.5, times=2)])
    assert affected(faults, 10) == [2, 4]


def test_items_are_spoiled_in_a_share_of_their_calls_and_for_one_key() -> None:
    faults = Faults()
    faults.inject([GeminiFault(fault="bad_item", share=0.5, of_key="k", title_contains="oats")])
    calls = [(["Oats", "Rye", "Wild oats"], "k"), (["Oats"], "other"), (["Rye"], "k"), (["Rye", "Oats"], "k")]
    assert [faults.of_items(*call) for call in calls] == [[None] * 3, [None], [None], [None, "bad_item"]]
