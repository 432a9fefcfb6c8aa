"""Settings of the status-projector."""

from shared.messaging.settings import BrokerSettings
from shared.settings import DatabaseSettings, OpsSettings, env


class ProjectorSettings(BrokerSettings, DatabaseSettings, OpsSettings):
    """How much of the processed streams Redis keeps."""

    retain_bytes: int = env("TOPICFLOW_RETAIN_BYTES", default=512 * 1024 * 1024, ge=1024 * 1024)

    @property
    def retain_days(self) -> float:
        """For Redis only: Kafka applies its own retention."""
        return self.retain or 7.0
