"""What the status-projector is told."""

from shared.messaging.settings import BrokerSettings
from shared.settings import DatabaseSettings, OpsSettings, env


class ProjectorSettings(BrokerSettings, DatabaseSettings, OpsSettings):
    """How much of the streams Redis keeps after everybody is done with it."""

    retain_bytes: int = env("TOPICFLOW_RETAIN_BYTES", default=512 * 1024 * 1024, ge=1024 * 1024)

    @property
    def retain_days(self) -> float:
        """On Redis; Kafka keeps what it keeps by itself."""
        return self.retain or 7.0
