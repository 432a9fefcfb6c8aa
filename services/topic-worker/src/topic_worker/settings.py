"""What a topic-worker is told."""

import structlog
from pydantic import field_validator

from shared.broker_settings import BrokerSettings
from shared.settings import GeminiSettings, OpsSettings, named

log = structlog.get_logger()
MOST_TITLES_A_CALL = 5


class WorkerSettings(BrokerSettings, GeminiSettings, OpsSettings):
    """`in_flight` submissions; seconds: `held` before one that waits goes to the tail, `stop` for calls at a stop,
    `longest_pause` between two looks whether an outage is over."""

    in_flight: int = named("TOPICFLOW_IN_FLIGHT", default=30, ge=1, le=1000)
    batch_size: int = named("WORKER_BATCH_SIZE", default=MOST_TITLES_A_CALL, ge=1)
    held_seconds: float = named("TOPICFLOW_HELD_SECONDS", default=60.0, gt=0)
    longest_pause: float = named("TOPICFLOW_LONGEST_PAUSE_SECONDS", default=30.0, gt=0)
    stop_seconds: float = named("TOPICFLOW_STOP_SECONDS", default=20.0, ge=0)

    @field_validator("batch_size")
    @classmethod
    def _at_most_five(cls, value: int) -> int:
        if value > MOST_TITLES_A_CALL:
            log.warning("WORKER_BATCH_SIZE is taken as 5", given=value)
        return min(value, MOST_TITLES_A_CALL)
