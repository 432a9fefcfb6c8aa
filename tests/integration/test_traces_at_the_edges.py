"""Traces under faults: requeued work, services that stop, a collector that is down, no collector."""

import sys
from pathlib import Path

import pytest
from eventually import eventually
from integration.api import Api, started
from integration.observed import Observed
from integration.traces import HANDLING, PROJECTED, SERVER, spans_of, the_one
from otlp_collector import Span
from servers import Deployment, GeminiSimulator, Process, Stack, free_port


async def test_requeued_work_keeps_its_trace(observed: Observed, tmp_path: Path, stack: Stack) -> None:
    gemini = GeminiSimulator(tmp_path)
    gemini.start()
    settings = observed.collector.settings | {"TOPICFLOW_HELD_SECONDS": "0.2"}
    deployed = Deployment(tmp_path, stack, gemini, settings)
    try:
        for service in ("api", "status-projector", "topic-worker"):
            deployed.add(service)
        async with deployed.client() as client:
            api = await Api(deployed, client).ready()
            gemini.add_fault("503", times=3)
            id_ = (await api.submit("Waits too long"))["topics"][0]["id"]
            await api.ended(id_)
        of = await spans_of(observed, id_, HANDLING, "project SubmissionCompleted")

        def all_handled() -> list[Span] | None:
            spans = [span for span in observed.collector.of_submission(id_) if span.name == HANDLING]
            return spans if spans[-1].attributes["topicflow.end"] == "completed" else None

        handled = await eventually(all_handled, within=10)
        assert handled[0].attributes["topicflow.end"] == "requeued"
        assert [span.parent for span in handled[1:]] == [span.id for span in handled[:-1]]
        assert of["project SubmissionCompleted"].parent == handled[-1].id
    finally:
        deployed.end()


@pytest.mark.slow
async def test_recorded_spans_are_sent_when_a_service_stops(observed: Observed, tmp_path: Path, stack: Stack) -> None:
    later = observed.collector.settings | {"OTEL_BSP_SCHEDULE_DELAY": "600000"}
    deployed = started(stack, tmp_path, **later)
    try:
        async with deployed.client() as client:
            api = await Api(deployed, client).ready()
            id_ = (await api.submit("Sent at the end"))["topics"][0]["id"]
            await api.ended(id_)
        assert observed.collector.of_submission(id_) == []
        for process in deployed.services.values():
            process.stop(within=10)
        of = await spans_of(observed, id_, HANDLING, *PROJECTED)
        assert (await the_one(observed, SERVER, of[HANDLING])).service == "api"
    finally:
        deployed.end()


@pytest.mark.slow
async def test_without_a_collector_everything_works_and_one_warning_is_logged(tmp_path: Path, stack: Stack) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    soon = {"OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_EXPORTER_OTLP_TIMEOUT": "0.3"}
    deployed = started(stack, tmp_path, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{nobody}/v1/traces", **soon)
    try:
        async with deployed.client() as client:
            api = await Api(deployed, client).ready()
            for n in range(5):
                await api.ended((await api.submit(f"Nobody records {n}"))["topics"][0]["id"])
            worker = deployed.services["topic-worker-1"]
            await eventually(lambda: "spans_lost" in worker.output, within=10)
        for process in deployed.services.values():
            assert process.stop(within=10) in {0, -15}
            warnings = [line for line in process.output.splitlines() if '"warning"' in line or '"error"' in line]
            assert len([line for line in warnings if "spans_lost" in line]) == 1
            assert not [line for line in process.output.splitlines() if "opentelemetry" in line]
            assert not [line for line in process.output.splitlines() if nobody.removeprefix("http://") in line]
    finally:
        deployed.end()


async def test_without_an_endpoint_nothing_of_the_sdk_is_imported(tmp_path: Path) -> None:
    code = "import sys, api.app, topic_worker.app, status_projector.app; from shared.observability import tracing"
    code += (
        "; tracing.set_up('a', 'b'); print([m for m in sys.modules if 'opentelemetry.sdk.trace' in m or 'otlp' in m])"
    )
    process = Process([sys.executable, "-c", code], tmp_path / "imports.log")
    process.start()
    assert process.running
    assert process.running.wait(60) == 0
    assert process.output == "[]\n"
