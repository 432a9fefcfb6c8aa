"""An installation with nothing in it yet."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from integration.installation import Installation
from servers import Deployment, GeminiStandIn
from servers.stack import Stack

from shared.transport.base import Transport


@pytest.fixture
def installation(stack: Stack, tmp_path: Path) -> Iterator[Installation]:
    deployment = Deployment(tmp_path, stack, GeminiStandIn(tmp_path))
    yield Installation(deployment, {**stack.settings, "TOPICFLOW_DATABASE_URL": stack.database_url})
    deployment.end()


@pytest.fixture
async def transport(installation: Installation) -> AsyncIterator[Transport]:
    connected = installation.connect()
    yield connected
    await connected.close()
