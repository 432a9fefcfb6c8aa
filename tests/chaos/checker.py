"""Checks the projection after the chaos: nothing lost, done twice or miscounted."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from integration.databases import Rows, rows
from servers import Deployment

from chaos.oracle import FinalState
from shared.db.tables import utc_text


class Checker:
    """Reads the tables of the projection, not the API."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def _rows(self, query: str) -> Rows:
        return rows(self._deployment.database_url, query)

    def statuses(self) -> dict[str, int]:
        return dict(self._rows("SELECT status, count(*) FROM submissions GROUP BY status"))

    def counts(self) -> dict[str, int]:
        query = "SELECT status, sum(submissions) FROM status_counts GROUP BY status HAVING sum(submissions) != 0"
        return dict(self._rows(query))

    def assert_all_completed_once(self, titles: Iterable[str]) -> None:
        expected = set(titles)
        found = [name for (name,) in self._rows("SELECT name FROM submissions WHERE status = 'completed'")]
        assert set(found) == expected
        assert len(found) == len(expected)
        assert self.counts() == self.statuses() == {"completed": len(expected)}
        assert self._rows("SELECT count(*) FROM contents") == [(len(expected),)]
        assert self._rows("SELECT count(*) FROM dead_letters") == [(0,)]

    def assert_ends(self, ends: Mapping[str, FinalState]) -> None:
        """Each submission's row and card are what they must be."""
        columns = "id, attempt, status, name, run, error_message, content"
        found = {
            id_: FinalState(attempt, status, name, run, error, json.loads(content) if content else None)
            for id_, attempt, status, name, run, error, content in self._rows(
                f"SELECT {columns} FROM submissions LEFT JOIN contents USING (id)"
            )
            if id_ in ends
        }
        differs = [(found.get(id_), state) for id_, state in ends.items() if found.get(id_) != state]
        assert not differs, f"{len(differs)} of {len(ends)} do not match their streams: {differs[0]}"

    def assert_history(self, event_ids: Mapping[str, set[str]]) -> None:
        """Every event is in the history once, even if it changed nothing."""
        found: dict[str, set[str]] = defaultdict(set)
        for id_, event_id in self._rows("SELECT id, event_id FROM history"):
            found[id_].add(event_id)
        assert {id_: found[id_] for id_ in event_ids} == event_ids

    def paid_twice(self) -> list[str]:
        """Titles with more than one good answer of the simulator."""
        return [title for title, times in self._deployment.gemini.calls["titles"].items() if times > 1]

    def has_begun(self, worker: str, since: datetime | None = None) -> bool:
        """Whether the worker has started a submission since."""
        query = f"SELECT count(*) FROM history WHERE worker = '{worker}' AND event = 'SubmissionStarted'"
        return self._rows(query + (f" AND time > '{utc_text(since)}'" if since else "")) != [(0,)]

    def seconds_until_first_redelivered_result(self, dead: str, died_at: datetime) -> float:
        """From the death of worker `dead` to the first result of what it alone had started, and not finished."""
        query = f"""
            SELECT min(done.time) FROM history done
            WHERE done.event = 'SubmissionCompleted' AND done.worker != '{dead}' AND done.id IN
                (SELECT id FROM history WHERE event = 'SubmissionStarted' AND time <= '{utc_text(died_at)}'
                 GROUP BY id HAVING min(worker) = '{dead}' AND max(worker) = '{dead}')
        """
        [(first,)] = self._rows(query)
        assert first, f"nothing of {dead} was redelivered"
        return (datetime.fromisoformat(first).replace(tzinfo=UTC) - died_at).total_seconds()
