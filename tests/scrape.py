"""Metrics as Prometheus reads them: scraped from a port, parsed, and compared."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Scraped:
    values: dict[str, dict[frozenset[tuple[str, str]], float]]  # by sample name, then labels

    def get(self, name: str, **labels: str) -> float | None:
        """The sum over all series that have these labels, None if there are none."""
        found = [value for have, value in self.values.get(name, {}).items() if labels.items() <= dict(have).items()]
        return sum(found) if found else None

    def label_values(self) -> Iterator[str]:
        for series in self.values.values():
            for labels in series:
                yield from dict(labels).values()


async def scrape(port: int) -> Scraped:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.status_code == 200
    values: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            values.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return Scraped(values)
