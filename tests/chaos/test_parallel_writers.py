"""60 concurrent clients that submit the same titles through two replicas of the API."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from integration.api import Api

from chaos.race_runner import RaceRunner
from shared.ids import normal, topic_id

WRITERS = 60
REQUESTS = 5  # of each writer
TITLES = [f"Parallel title number {n} on straße" for n in range(100)]


def respelled(races: RaceRunner, title: str) -> str:
    """Another spelling of the title: case, spaces or width."""
    ways: list[Callable[[str], str]] = [
        str.upper,
        str.title,
        lambda text: f"  {text.replace(' ', chr(0x3000))}\t",
        _wide,
        str,
    ]
    return races.chance.choice(ways)(title)


def _wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


async def write(races: RaceRunner, api: Api) -> None:
    for _ in range(REQUESTS):
        titles = [respelled(races, title) for title in races.chance.sample(TITLES, 10)]
        once = {"Idempotency-Key": f"{uuid4()}"}
        answer = await api.ask("POST", "/topics", json={"topics": titles}, headers=once)
        assert answer.status_code == 202, answer.text
        assert [topic["id"] for topic in answer.json()["topics"]] == [topic_id(title) for title in titles]


async def test_60_parallel_writers_of_the_same_titles_get_one_row_and_one_call_per_title_and_no_error(
    races: RaceRunner,
) -> None:
    await races.run_and_check(TITLES, (write(races, races.replicas[n % 2]) for n in range(WRITERS)))
    rows = await every_topic(races.api)
    assert sorted(normal(row["title"]) for row in rows) == sorted(map(normal, TITLES))
    assert {(row["status"], row["attempt"]) for row in rows} == {("completed", 1)}
    calls = Counter[str]()
    for title, times in races.deployment.gemini.calls["titles"].items():
        calls[normal(title)] += times
    assert {calls[normal(title)] for title in TITLES} == {1}
    assert "database is locked" not in all_logs(races)


async def every_topic(api: Api) -> Sequence[dict[str, Any]]:
    answer = await api.get("/topics", search="parallel title", limit=100)
    assert answer["total_count"] == len(TITLES)
    return list(answer["topics"])


def all_logs(races: RaceRunner) -> str:
    return "".join(service.output for service in races.deployment.services.values())
