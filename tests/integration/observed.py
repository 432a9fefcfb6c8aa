"""A deployment with all telemetry: metrics on ports, spans to a collector, log lines down to DEBUG."""

import json
from pathlib import Path
from typing import Any

from integration.api import Api, Json
from otlp_collector import OtlpCollector, Span
from scrape import Scraped, scrape
from servers import Deployment, GeminiSimulator, Stack, free_port

from shared.streams import PROJECTOR

SECRET = "the-secret-api-key"
LOUD = {"TOPICFLOW_LOG_LEVEL": "DEBUG"}


class Observed:
    api: Api

    def __init__(self, stack: Stack, folder: Path) -> None:
        gemini = GeminiSimulator(folder)
        gemini.start()
        self.collector = OtlpCollector()
        self.deployment = Deployment(folder, stack, gemini, LOUD | self.collector.settings)
        self.ports = {"topic-worker": free_port(), PROJECTOR: free_port(), "api": self.deployment.api_port}
        for service, port in self.ports.items():
            ops = {"TOPICFLOW_OPS_PORT": str(port)} if service != "api" else {}
            self.deployment.add(service, f"{service}-1", GEMINI_API_KEY=SECRET, **ops)

    async def scrape(self, service: str) -> Scraped:
        return await scrape(self.ports[service])

    def lines(self, service: str, **having: Any) -> list[Json]:
        """Log lines with these fields."""
        lines = [json.loads(line) for line in self.deployment.services[f"{service}-1"].output.splitlines()]
        return [line for line in lines if having.items() <= line.items()]

    def trace(self, of: Span) -> list[Span]:
        return [span for span in self.collector.spans if span.trace == of.trace]

    def end(self) -> None:
        self.deployment.end()
        self.collector.close()
