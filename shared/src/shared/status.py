"""The status of a submission by the rank of its last effective event."""

from typing import Literal

Status = Literal["pending", "processing", "failed", "completed"]

PENDING, PROCESSING, FAILED, COMPLETED, REMOVED = range(5)  # ranks: a submission's (attempt, rank) only grows
STATUSES: tuple[Status, ...] = ("pending", "processing", "failed", "completed")
