"""The offset tracker of one partition: in any order, nothing finished is lost or delivered again."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.messaging.offset_tracker import MAX_IN_FLIGHT, SPAN, OffsetTracker

POSITIONS = 40
any_of_them = st.integers(0, POSITIONS - 1)


class Partition(RuleBasedStateMachine):
    """A log of forty records, one tracker after the other, and the state of each commit."""

    def __init__(self) -> None:
        super().__init__()
        self.window = OffsetTracker(0)
        self.in_flight: set[int] = set()
        self.finished: set[int] = set()
        self.starts: dict[int, int] = {}
        self.committed: tuple[int, str] = (0, "")
        self.finished_at_commit: set[int] = set()
        self.starts_at_commit: dict[int, int] = {}

    @precondition(lambda self: self.window.next < POSITIONS)
    @rule()
    def take(self) -> None:
        position = self.window.next
        starts = self.window.take(position)
        if starts is None:
            assert position in self.finished | self.in_flight
        else:
            assert position not in self.finished | self.in_flight
            assert starts == self.starts.get(position, 0)
            self.in_flight.add(position)

    @rule(position=any_of_them)
    def finish(self, position: int) -> None:
        if position in self.in_flight | self.finished:
            self.window.finish(position)
            self.in_flight.discard(position)
            self.finished.add(position)
            self.starts.pop(position, None)

    @rule(position=any_of_them)
    def give_back(self, position: int) -> None:
        self.window.give_back(position)
        self.in_flight.discard(position)

    @rule(position=any_of_them, starts=st.integers(0, 3))
    def begin(self, position: int, starts: int) -> None:
        if position in self.in_flight:
            self.window.set_starts(position, starts)
            self.starts[position] = starts

    @rule()
    def commit(self) -> None:
        self.committed = self.window.watermark, self.window.metadata()
        self.finished_at_commit = set(self.finished)
        self.starts_at_commit = dict(self.starts)

    @rule()
    def restart(self) -> None:
        self.window = OffsetTracker(*self.committed)
        self.finished, self.starts, self.in_flight = set(self.finished_at_commit), dict(self.starts_at_commit), set()

    @rule()
    def go_away_and_come_back(self) -> None:
        self.window = OffsetTracker(*self.committed, self.in_flight)
        self.finished, self.starts = set(self.finished_at_commit), dict(self.starts_at_commit)
        self.in_flight -= self.finished

    @invariant()
    def is_committed_up_to_the_first_unfinished(self) -> None:
        assert self.window.watermark == min(set(range(POSITIONS + 1)) - self.finished)
        assert self.window.in_flight == len(self.in_flight)
        assert self.window.watermark + self.window.finished == len(self.finished)

    def teardown(self) -> None:
        """A tracker that resumes here finishes everything once."""
        while self.window.next < POSITIONS or self.in_flight:
            if self.window.next < POSITIONS:
                self.take()
            else:
                self.finish(min(self.in_flight))
        assert self.window.watermark == POSITIONS
        assert self.window.metadata() == ""


TestPartition = Partition.TestCase
TestPartition.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)


def begun(positions: set[int], starts: int) -> OffsetTracker:
    """All finished except the watermark and these, which are in flight."""
    window = OffsetTracker(0)
    for position in range(SPAN):
        window.take(position)
        if position and position not in positions:
            window.finish(position)
    for position in positions:
        window.set_starts(position, starts)
    return window


def test_a_window_is_full_at_its_span_and_has_room_again_when_the_first_delivery_ends() -> None:
    window = begun(set(), 0)
    assert window.is_full
    assert window.watermark == 0
    window.finish(0)
    assert not window.is_full
    assert window.watermark == SPAN


def test_a_window_is_full_when_too_many_are_in_flight_to_remember_their_starts() -> None:
    window = OffsetTracker(7)
    for position in range(7, 7 + MAX_IN_FLIGHT):
        assert not window.is_full
        window.take(position)
    assert window.is_full
    window.finish(50)
    assert not window.is_full


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(1, SPAN - 1), min_size=MAX_IN_FLIGHT, max_size=MAX_IN_FLIGHT), st.integers(1, 9))
def test_metadata_stays_below_3_kb_at_full_span_and_comes_back_as_it_was(positions: set[int], starts: int) -> None:
    window = begun(positions, starts)
    metadata = window.metadata()
    assert metadata.isascii()
    assert len(metadata) <= 3 * 1024
    again = OffsetTracker(window.watermark, metadata)
    assert again.metadata() == metadata
    handed_out = {position: again.take(position) for position in range(SPAN)}
    assert {position: count for position, count in handed_out.items() if count} == dict.fromkeys(positions, starts)
    assert [position for position, count in handed_out.items() if count is not None] == sorted(positions | {0})


def test_the_longest_metadata_that_there_can_be_is_below_3_kb() -> None:
    """As many steps of three digits as fit into the span, the others of two."""
    steps = [100] * 57 + [10] * (MAX_IN_FLIGHT - 57)
    positions = {sum(steps[: n + 1]) for n in range(MAX_IN_FLIGHT)}
    assert max(positions) < SPAN
    assert 2_900 < len(begun(positions, 3).metadata()) <= 3 * 1024


def test_a_fresh_window_has_no_metadata() -> None:
    assert OffsetTracker(17).metadata() == ""
