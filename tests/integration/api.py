"""A client of the API, with the requests that tests make most often."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from eventually import eventually
from servers import MODULES, Deployment, GeminiSimulator, Stack

Json = dict[str, Any]
STARTS_WITHIN = 60  # seconds, on a machine that many share


@dataclass(frozen=True)
class Api:
    deployment: Deployment
    http: httpx.AsyncClient

    async def ready(self) -> "Api":
        """Waits until all services answer and a topic-worker knows that it calls the simulator."""

        async def is_ready() -> bool:
            return (await self.get("/worker-status"))["simulated"] is True

        await self.up()
        await eventually(is_ready, within=STARTS_WITHIN)
        return self

    async def up(self) -> "Api":
        """Waits until the API reaches broker and database; other services may be missing."""

        async def is_up() -> bool:
            return (await self.http.get("/ready")).is_success

        await self.answers()
        await eventually(is_up, within=STARTS_WITHIN)
        return self

    async def answers(self) -> None:
        async def does() -> bool:
            try:
                return (await self.http.get("/live")).is_success
            except httpx.TransportError:
                return False

        await eventually(does, within=STARTS_WITHIN)

    async def until_live(self, workers: int, of: str = "/worker-status", within: float = 30) -> None:
        """Waits for this number of workers in the answer of `of`."""

        async def all_live() -> bool:
            return len((await self.get(of))["workers"]) == workers

        await eventually(all_live, within=within)

    async def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        return await self.http.request(method, f"/api/v1{path}", **request)

    async def get(self, path: str, **query: Any) -> Json:
        answer = await self.ask("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def submit(self, *titles: str, **options: Any) -> Json:
        answer = await self.ask("POST", "/topics", json={"topics": titles} | options)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    async def ended(self, *ids: str, as_: str = "completed") -> list[Json]:
        """The topics, once each has this status."""

        async def are() -> list[Json] | None:
            answers = [await self.ask("GET", f"/topics/{id_}") for id_ in ids]
            assert all(answer.status_code in {200, 404} for answer in answers)  # 404: not projected yet
            topics = [dict(answer.json()) for answer in answers]
            return topics if all(topic["status"] == as_ for topic in topics) else None

        return await eventually(are, within=20)


def started(stack: Stack, folder: Path, **settings: str) -> Deployment:
    """Gemini's simulator and one replica of each service, starting. `settings`: of all of them."""
    gemini = GeminiSimulator(folder)
    gemini.start()
    deployed = Deployment(folder, stack, gemini, settings)
    for service in MODULES:
        deployed.add(service, f"{service}-1")
    return deployed


def problem(answer: httpx.Response, status: int) -> Json:
    """The problem in the answer, after checking the fields that all of them have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = dict(answer.json())
    assert body["status"] == status
    assert {"type", "title", "status", "detail"} <= body.keys()
    assert body["detail"]
    return body
