"""Response model of a live worker."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel

from api.worker_registry import WorkerState


class LiveWorker(BaseModel):
    service: str
    instance: str
    version: str
    in_flight: int
    processed: int
    failed: int
    started_at: datetime
    last_seen: datetime

    @classmethod
    def of(cls, seen: WorkerState) -> Self:
        return cls(**seen.beat.model_dump(), version=seen.beat.app_version, last_seen=seen.stored_at)
