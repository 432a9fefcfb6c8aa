"""What one look at the projection found, as events for streams."""

from collections.abc import Mapping

from api.live.events import Snapshot, WorkersNow, changed_submission, changes_frame, counts_of, resync_frame
from api.projection.change_cursor import ChangeCursor
from api.projection.changes import MOST_ROWS, Changes, Interest
from api.status.routes import ProcessingStatus
from shared.events import Kind


class Look:
    def __init__(self, changes: Changes, workers: Mapping[Kind, WorkersNow]) -> None:
        self.changes = changes
        self._workers = workers
        self._counts = counts_of(changes.counts, workers)
        self._counts_json = self._counts.model_dump_json()
        self._submissions: dict[str, str] = {}  # as JSON
        self._frames: dict[tuple[Interest, ChangeCursor], bytes | None] = {}  # of streams that listen for everything

    def frame(self, interest: Interest, since: ChangeCursor) -> bytes | None:
        """The event for a stream that knows everything before `since`; None if nothing of it changed."""
        if interest.ids:
            return self._frame(interest, since)
        if (interest, since) not in self._frames:
            self._frames[interest, since] = self._frame(interest, since)
        return self._frames[interest, since]

    def snapshot(self, interest: Interest, status: ProcessingStatus) -> Snapshot:
        rows = [self.changes.rows[id_] for id_ in interest.among(self.changes.kinds)] if interest.ids else []
        submissions = [changed_submission(row, self._workers) for row in rows]
        return Snapshot(processing_status=status, counts=self._counts, submissions=submissions)

    def counts_frame(self) -> bytes:
        """The counts alone, without an id: nothing is passed by it."""
        return changes_frame((), self._counts_json, None)

    def _frame(self, interest: Interest, since: ChangeCursor) -> bytes | None:
        changes = self.changes
        if since == changes.cursor:  # another replica was here before
            return None
        ids = interest.among(changes.kinds)
        if changes.must_reread or len(ids) > MOST_ROWS:
            return resync_frame(self._counts_json, changes.cursor)
        rows = [changes.rows[id_] for id_ in ids]
        new = [row["id"] for row in rows if not since.covers(row["changed_in"], row["changed"])]
        return changes_frame(map(self._submission, new), self._counts_json, changes.cursor) if new else None

    def _submission(self, id_: str) -> str:
        if id_ not in self._submissions:
            row = self.changes.rows[id_]
            self._submissions[id_] = changed_submission(row, self._workers).model_dump_json()
        return self._submissions[id_]
