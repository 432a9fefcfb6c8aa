"""The contracts as documents, openapi.json, asyncapi.json and metrics.md: written, or compared with `--check`."""

import json
import sys
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

from faststream.redis import RedisBroker
from faststream.specification import AsyncAPI
from prometheus_client.metrics import MetricWrapperBase

from api.app import build
from shared import __version__
from shared.observability import metrics
from shared.observability.prometheus import Reading
from shared.streams import PROJECTOR, STREAMS, Stream

DOCS = Path(__file__).parents[1] / "docs"
EVERY = {family.name for family in metrics.EVERY.collect()}
SERVICES = {
    "Every process": metrics.EVERY,
    "api": metrics.API,
    "topic-worker": metrics.WORKER,
    "status-projector": metrics.PROJECTOR,
}


def openapi() -> dict[str, Any]:
    return build().openapi()


def asyncapi() -> dict[str, Any]:
    """Built from a broker that is never started."""
    broker = RedisBroker("redis://localhost:6379")
    for stream in STREAMS:
        any_event: Any = reduce(or_, stream.events)
        broker.publisher(stream=stream.name, title=stream.name, description=_described(stream), schema=any_event)
    summary = "CloudEvents 1.0 in binary mode: attributes are fields of the entry, `ce_type` names event and version."
    document = AsyncAPI(broker, title="topicflow", version=__version__, description=summary)
    found: dict[str, Any] = json.loads(document.to_specification().to_json())
    return found


def _described(stream: Stream) -> str:
    types = ", ".join(f"topicflow.{event.__name__}.v{event.version}" for event in stream.events)
    projectors = (PROJECTOR,) if stream.projected else ()
    readers = ", ".join((*stream.groups, *projectors)) or "every api replica"
    described = f"Key: {stream.key}. Events: {types}. Read by: {readers}."
    if stream.groups or stream.projected:
        described += f" What cannot be handled goes to {stream.dead_letters}."
    return described


def metrics_page() -> str:
    """Every metric of `shared/observability/metrics.py`, by the registry it is in."""
    lines = [
        "# Metrics",
        "",
        "Made from `shared/observability/metrics.py` by `make contracts`; [observability](observability.md) says",
    ]
    lines += ["how to scrape them and what to be woken for. Every process also shows `process_…` (memory, CPU seconds,"]
    lines += ["open files) where the system tells."]
    found = [metric for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase | Reading)]
    for title, registry in SERVICES.items():
        lines += ["", f"## {title}", "", "| name | type | labels | |", "|---|---|---|---|"]
        shown = {family.name for family in registry.collect()} - (EVERY if registry is not metrics.EVERY else set())
        lines += [_row(metric) for metric in found if next(iter(metric.collect())).name in shown]
    return "\n".join(lines) + "\n"


def _row(metric: MetricWrapperBase | Reading) -> str:
    [family] = metric.collect()
    name = f"{family.name}_total" if family.type == "counter" else family.name
    names = metric.labels if isinstance(metric, Reading) else metric._labelnames
    return f"| `{name}` | {family.type} | {', '.join(names)} | {family.documentation} |"


def documents() -> dict[str, str]:
    made = {"openapi.json": openapi(), "asyncapi.json": asyncapi()}
    texts = {
        name: json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) for name, document in made.items()
    }
    return {name: text + "\n" for name, text in texts.items()} | {"metrics.md": metrics_page()}


def main(folder: Path, *, only_check: bool) -> int:
    """Answers the exit code: 1 where only checking and a document is not up to date."""
    for name, text in documents().items():
        path = folder / name
        if not only_check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"docs/{name} is not up to date: run `make contracts`", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(DOCS, only_check="--check" in sys.argv[1:]))
