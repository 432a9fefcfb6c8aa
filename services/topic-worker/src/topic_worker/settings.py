"""What a topic-worker is told."""

import structlog
from pydantic import field_validator

from shared.gemini_settings import GeminiSettings
from shared.settings import OpsSettings, named
from shared.worker import WorkSettings

log = structlog.get_logger()
MOST_TITLES_A_CALL = 5


class WorkerSettings(WorkSettings, GeminiSettings, OpsSettings):
    batch_size: int = named("WORKER_BATCH_SIZE", default=MOST_TITLES_A_CALL, ge=1)

    @field_validator("batch_size")
    @classmethod
    def _at_most_five(cls, value: int) -> int:
        if value > MOST_TITLES_A_CALL:
            log.warning("WORKER_BATCH_SIZE is taken as 5", given=value)
        return min(value, MOST_TITLES_A_CALL)
