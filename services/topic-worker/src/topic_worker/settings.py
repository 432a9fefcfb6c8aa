"""A topic-worker's settings."""

import structlog
from pydantic import field_validator

from shared.llm.models import MOST_OUTPUT_TOKENS, Thinking
from shared.llm.settings import GeminiSettings
from shared.settings import OpsSettings, env
from shared.worker.runtime import WorkSettings

log = structlog.get_logger()
MOST_TITLES_A_CALL = 5


class WorkerSettings(WorkSettings, GeminiSettings, OpsSettings):
    thinking: Thinking = env("GEMINI_TOPIC_THINKING", default="minimal")
    answer_tokens: int = env("GEMINI_TOPIC_OUTPUT_TOKENS", default=4096, ge=256, le=MOST_OUTPUT_TOKENS)  # a title
    batch_size: int = env("WORKER_BATCH_SIZE", default=MOST_TITLES_A_CALL, ge=1)

    @field_validator("batch_size")
    @classmethod
    def _at_most_five(cls, value: int) -> int:
        if value > MOST_TITLES_A_CALL:
            log.warning("batch_size_capped", setting="WORKER_BATCH_SIZE", value=value, maximum=MOST_TITLES_A_CALL)
        return min(value, MOST_TITLES_A_CALL)
