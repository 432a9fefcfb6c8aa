"""An installation with nothing in it yet."""

from collections.abc import AsyncIterator

import pytest
from integration.installation import Installation
from servers import Deployment

from shared.messaging.broker import Transport


@pytest.fixture
def installation(deployment: Deployment) -> Installation:
    return Installation(deployment)


@pytest.fixture
async def transport(installation: Installation) -> AsyncIterator[Transport]:
    connected = installation.stack.connect()
    yield connected
    await connected.close()
