"""An installation with nothing in it yet, on each pair of broker and database."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from integration.installation import KAFKA, VALKEY, Installation
from servers import Deployment, GeminiStandIn, ValkeyServer
from servers.found import Server

from shared.transport.base import Transport


@pytest.fixture(params=[VALKEY, KAFKA])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    valkey, gemini = ValkeyServer(tmp_path / "valkey"), GeminiStandIn(tmp_path)
    if request.param == KAFKA:
        kafka: Server = request.getfixturevalue("kafka_server")
        settings = {
            "TOPICFLOW_BROKER_URL": kafka.url,
            "TOPICFLOW_STREAM_PREFIX": f"{uuid4().hex[:8]}.",
            "TOPICFLOW_PARTITIONS": "4",
            "TOPICFLOW_SESSION_TIMEOUT_SECONDS": "2",
            "TOPICFLOW_DATABASE_URL": request.getfixturevalue("postgres_url"),
        }
    else:
        valkey.start()
        settings = {
            "TOPICFLOW_BROKER_URL": valkey.url,
            "TOPICFLOW_DATABASE_URL": f"sqlite:///{tmp_path}/topicflow.db",
        }
    deployment = Deployment(tmp_path, valkey, gemini)
    yield Installation(deployment, settings)
    deployment.end()


@pytest.fixture
async def transport(installation: Installation) -> AsyncIterator[Transport]:
    connected = installation.connect()
    yield connected
    await connected.close()
