"""A broker's streams, and what the projection of them is to be."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.databases import sqlite_in
from integration.event_history import in_batches
from integration.projected import Projected
from integration.projecting.sample_history import HISTORY
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
    """The history as projected by one projector without faults."""
    projected = await Projected(sqlite_in(tmp_path / "expected")).open()
    yield await projected.project(in_batches(HISTORY, 1000))
    await projected.close()
