"""What the status-projector is told."""

from shared.settings import BrokerSettings, DatabaseSettings, OpsSettings, named


class ProjectorSettings(BrokerSettings, DatabaseSettings, OpsSettings):
    """How much of the streams Redis keeps after everybody is done with it."""

    retain_days: float = named("TOPICFLOW_RETAIN_DAYS", default=7.0, gt=0, le=36_500)
    retain_bytes: int = named("TOPICFLOW_RETAIN_BYTES", default=512 * 1024 * 1024, ge=1024 * 1024)
