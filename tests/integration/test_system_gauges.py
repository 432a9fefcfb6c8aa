"""System gauges of /metrics: equal to the status routes, and absent for unreachable servers."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from eventually import eventually
from integration.observed import Observed
from scrape import Scraped, scrape
from servers import MODULES, Deployment, GeminiSimulator, Stack


async def test_system_gauges_equal_the_status_routes(observed: Observed) -> None:
    await observed.api.ended((await observed.api.submit("Gauged"))["topics"][0]["id"])
    summary = (await observed.api.get("/topic-status-summary"))["summary"]
    scraped = await observed.scrape("api")
    shown = {status: scraped.get("topicflow_submissions", kind="topic", status=status) for status in summary}
    assert shown == summary
    assert scraped.get("topicflow_dead_letters") == 0
    assert scraped.get("topicflow_projection_lag_seconds") == 0
    assert [scraped.get("topicflow_live_processes", service=service) for service in MODULES] == [1, 1, 1]


@pytest.fixture
def alone(tmp_path: Path, stack: Stack) -> Iterator[Deployment]:
    """An API and a broker; without a projector there are no tables."""
    deployed = Deployment(tmp_path, stack, GeminiSimulator(tmp_path))
    deployed.add("api")
    yield deployed
    deployed.end()


@pytest.mark.breaks_the_broker
async def test_gauges_of_unreachable_servers_are_absent_and_the_rest_is_there(alone: Deployment) -> None:
    async def beats() -> Scraped | None:
        try:
            now = await scrape(alone.api_port)
        except httpx.TransportError:
            return None
        return now if now.get("topicflow_live_processes", service="api") == 1 else None

    scraped = await eventually(beats, within=20)
    assert scraped.get("topicflow_live_processes", service="topic-worker") == 0
    for name in ("topicflow_submissions", "topicflow_dead_letters", "topicflow_projection_lag_seconds"):
        assert scraped.get(name) is None
    assert scraped.get("topicflow_broker_errors_total") is None
    alone.stack.broker.kill()

    async def is_gone() -> bool:
        return (await scrape(alone.api_port)).get("topicflow_live_processes") is None

    await eventually(is_gone, within=15)
    errors = (await scrape(alone.api_port)).get("topicflow_broker_errors_total", error="BrokerUnreachable")
    assert errors
