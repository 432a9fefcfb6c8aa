"""deploy/compose.yaml, run without Docker: its services start, pass their health checks, and work."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from eventually import eventually
from integration.composed import Composed, addresses
from integration.keyed import bearer
from servers.found import OwnServer

SERVICES = ("api", "topic-worker", "enricher", "status-projector")
CHECKED = ("gemini-simulator", "catalog-simulator", *SERVICES)


@pytest.fixture
def composed(tmp_path: Path, own_kafka: Callable[[], OwnServer], postgres_url: str) -> Iterator[Composed]:
    """Kafka and PostgreSQL run, no service yet. Kafka is the test's own: the file gives no prefix."""
    made = Composed(tmp_path, addresses(own_kafka().url, postgres_url))
    yield made
    made.end()


async def test_a_topic_that_is_submitted_with_a_key_completes_and_the_catalogue_is_scanned(composed: Composed) -> None:
    assert "done: " in composed.run("provision")
    assert composed.run("provision") == "nothing to do"
    key = composed.run("api", "topicflow", "keys", "create", "team")
    composed.give(TOPICFLOW_API_KEY=composed.run("api", "topicflow", "keys", "create", "enricher"))
    for name in CHECKED:
        composed.start(name)
    for name in CHECKED:
        await eventually(partial(composed.is_healthy, name), within=60)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{composed.ports['api']}", trust_env=False) as api:
        assert (await api.get("/api/v1/topics")).status_code == 401
        submitted = await api.post("/api/v1/topics", json={"topics": ["Consistent Hashing"]}, **bearer(key))
        assert submitted.status_code == 202

        async def completed() -> bool:
            (topic,) = (await api.get("/api/v1/topics", **bearer(key))).json()["topics"] or [{}]
            return bool(topic.get("status") == "completed")

        await eventually(completed, within=30)

        async def enriched() -> bool:
            of = await api.get("/api/v1/articles", params={"status": "completed"}, **bearer(key))
            return int(of.json()["total_count"]) == 38  # of the 40 of the simulator; two have only a title

        await eventually(enriched, within=60)
    for name in SERVICES:
        grace = composed.services[name]["stop_grace_period"]
        assert composed.processes[name].stop(within=int(grace.removesuffix("s"))) == 0
        assert "unknown_setting" not in composed.processes[name].output


def test_all_built_services_are_tested_and_use_no_container_address(tmp_path: Path) -> None:
    composed = Composed(tmp_path, addresses("kafka://here:1", "postgresql://topicflow@here:2/mine"))
    built = {name for name, service in composed.services.items() if "build" in service}
    assert built == {"provision", *CHECKED}
    commands = " ".join(" ".join(composed.command(name)) for name in built)
    assert not re.search(r"[/@](kafka|postgres|gemini-simulator|catalog-simulator|api):", commands)
    assert commands.count("kafka://here:1 ") == 5
