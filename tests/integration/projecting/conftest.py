"""A broker's streams, and what the projection of them is to be."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.databases import sqlite_in
from integration.projected import Projected
from integration.projecting.told import HISTORY
from integration.stories import in_batches
from servers import Stack

from shared.messaging.broker import Transport


@pytest.fixture
async def transport(stack: Stack) -> AsyncIterator[Transport]:
    connected = stack.connect()
    await connected.provision()
    yield connected
    await connected.close()


@pytest.fixture
async def expected(tmp_path: Path) -> AsyncIterator[Projected]:
    """What one projector without any trouble makes of the history."""
    projected = await Projected(sqlite_in(tmp_path / "expected")).open()
    yield await projected.project(in_batches(HISTORY, 1000))
    await projected.close()
