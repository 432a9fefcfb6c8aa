"""One `topicflow up` for all tests of a module."""

from collections.abc import Iterator

import pytest
from e2e.local_mode import LocalMode


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalMode]:
    local_mode = LocalMode(tmp_path_factory.mktemp("local"))
    yield local_mode
    local_mode.end()


@pytest.fixture
async def local_mode(started: LocalMode) -> LocalMode:
    """Ready, with a stand-in in no particular mood."""
    await started.ready()
    started.stand_in("DELETE", "/moods")
    started.stand_in("PUT", "/seconds", {"seconds": 0})
    return started
