"""Metric names as Prometheus expects them, and gauges that can be absent."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from shared.observability import metrics
from shared.observability.prometheus import Reading, exposition

SERVICES = [metrics.API, metrics.WORKER, metrics.PROJECTOR]
ENDS = {"counter": "_total", "histogram": "(_seconds|_events|_per_call)", "gauge": "(_seconds|_info|)"}


@pytest.mark.parametrize("service", SERVICES)
def test_names_end_in_their_unit_and_help_is_a_sentence(service: Collector) -> None:
    families = [family for family in service.collect() if family.name.startswith("topicflow_")]
    assert len({family.name for family in families}) == len(families) > 4
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert re.fullmatch(f"topicflow_[a-z_]+?{ENDS[family.type]}", name), name
        assert family.documentation.endswith(".")
        assert len(family.documentation) > 40


def test_the_recommended_alerts_use_existing_metrics() -> None:
    samples = {f"{family.name}_total" for service in SERVICES for family in service.collect()}
    samples |= {family.name for service in SERVICES for family in service.collect()}
    page = (Path(__file__).parents[4] / "docs" / "observability.md").read_text("utf-8")
    used = set(re.findall(r"topicflow_[a-z_]+", page))
    assert len(used) > 8
    assert used <= samples


def test_a_reading_exposes_only_known_values() -> None:
    registry = CollectorRegistry()
    reading = Reading("jobs", "Jobs.", ["state"], registry=registry)

    def samples() -> list[bytes]:
        return [line for line in exposition(registry, "")[0].splitlines() if not line.startswith(b"#")]

    assert samples() == []
    reading.show({("new",): 2, ("done",): 0})
    assert samples() == [b'jobs{state="new"} 2.0', b'jobs{state="done"} 0.0']
    reading.show({("new",): 1})
    assert samples() == [b'jobs{state="new"} 1.0']
    reading.show({})
    assert samples() == []


def test_a_metric_name_is_unique() -> None:
    registry = CollectorRegistry()
    Reading("jobs", "Jobs.", registry=registry)
    with pytest.raises(ValueError, match="jobs"):
        Reading("jobs", "Other jobs.", registry=registry)
