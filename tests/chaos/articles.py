"""Enrichers under faults, and what must be true of all articles afterwards."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from eventually import eventually
from integration.api import Api, Json
from integration.databases import Rows, rows
from servers import Deployment, free_port

from shared.streams import ENRICHER, PROJECTOR, groups_of
from simulators.catalog.articles import invented, made_urn

NO_SCAN_BY_ITSELF = {"ENABLE_BACKGROUND_WORKER": "true", "WORKER_POLL_INTERVAL": "86400"}  # but the first
SETTLED_WITHIN = 60  # seconds, on a machine that many share


@dataclass(frozen=True, slots=True)
class Enriched:
    """An article's row. `error`: code and message."""

    status: str
    attempt: int
    error: tuple[str, str] | None
    content: Json | None


def with_text(made: int) -> set[str]:
    """The articles that can be enriched, of those that the catalogue starts with."""
    return {urn for urn, one in invented().items() if one["abstract"] or one["content"]} | set(
        map(made_urn, range(made))
    )


def deploy(deployment: Deployment, enrichers: int) -> int:
    """With two replicas of the API; answers the second one's port."""
    port = free_port()
    deployment.add("api", "api-1", **NO_SCAN_BY_ITSELF)
    deployment.add("api", "api-2", **NO_SCAN_BY_ITSELF, TOPICFLOW_PORT=str(port))
    deployment.add(PROJECTOR, "projector-1")
    for n in range(1, enrichers + 1):
        deployment.add(ENRICHER, f"{ENRICHER}-{n}")
    return port


@dataclass(frozen=True)
class Articles:
    """Reads the tables of the projection, the API and the catalogue."""

    deployment: Deployment
    api: Api

    def _rows(self, query: str) -> Rows:
        return rows(self.deployment.database_url, query)

    def there(self) -> dict[str, Enriched]:
        """By URN."""
        found = self._rows(
            "SELECT name, status, attempt, error_code, error_message, content FROM submissions "
            "LEFT JOIN contents USING (id) WHERE kind = 'article'"
        )
        return {
            urn: Enriched(status, attempt, (code, message) if code else None, json.loads(content) if content else None)
            for urn, status, attempt, code, message, content in found
        }

    async def scanned(self, within: float) -> Json:
        """The scan, once it has ended and no group has a backlog."""

        async def is_quiet() -> Json | None:
            answer = await self.api.ask("GET", "/articles/scan")
            scan: Json = answer.json()
            return scan if answer.is_success and scan["ended_at"] and await self.is_quiet() else None

        return await eventually(is_quiet, within=within, every=0.5)

    async def quiet(self, within: float = SETTLED_WITHIN) -> None:
        await eventually(self.is_quiet, within=within, every=0.2)

    async def is_quiet(self) -> bool:
        health: Json = (await self.api.http.get("/health")).json()
        waits = [health["lag"][group] for group in groups_of(ENRICHER)]
        number = sum(lag["waiting"] + lag["in_flight"] for lag in waits)
        return (number, health["projection_lag_seconds"]) == (0, 0)

    def assert_counts(self) -> None:
        """Counts equal the rows, and there are no dead letters."""
        counted = "SELECT kind, status, sum(submissions) FROM status_counts GROUP BY 1, 2 HAVING sum(submissions) != 0"
        assert set(self._rows(counted)) == set(
            self._rows("SELECT kind, status, count(*) FROM submissions GROUP BY 1, 2")
        )
        assert self._rows("SELECT count(*) FROM dead_letters") == [(0,)]

    def assert_catalog_has(self, completed: Mapping[str, Enriched]) -> None:
        """The catalogue has the result of each of these."""
        written = self.deployment.catalog.written
        differs = {
            urn: written.get(urn) for urn, end in completed.items() if not _agrees(written.get(urn), end.content)
        }
        assert not differs, f"{len(differs)} of {len(completed)}: {list(differs.items())[:1]}"

    async def worker_status(self, api: Api) -> Json:
        """The fields that do not depend on a process."""
        status = await api.get("/worker/status")
        return {name: status[name] for name in ("enabled", "processed", "failed", "skipped", "paused", "waiting_for")}


def _agrees(written: Json | None, content: Json | None) -> bool:
    if written is None or content is None:
        return False
    evaluation, extras = content["evaluation"], written["extras"]
    fields = {
        "ai_tags": content["keywords"],
        "ai_category": content["study_type"],
        "ai_key_takeaways": evaluation["verdict"],
    }
    marks = {name: content[name] for name in ("input_hash", "annotations", "enriched_at")}
    return fields.items() <= written.items() and marks.items() <= extras.items()
