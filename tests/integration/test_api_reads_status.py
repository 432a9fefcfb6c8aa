"""The status routes on the projected sample topics, without a topic-worker."""

from datetime import datetime

from eventually import eventually
from integration.api import Api, Json
from integration.sample_topics import COMPLETED, FAILED, LAST, PARKED, PENDING, PROCESSING, TITLES


async def test_the_processing_status_has_exactly_the_fields_of_the_contract(reads: Api) -> None:
    status = await reads.get("/processing-status")
    failures = status.pop("recent_failures")
    assert datetime.fromisoformat(status.pop("as_of")) == LAST
    assert status == {
        "is_processing": True,
        "pending_count": len(PENDING + PARKED),
        "processing_count": len(PROCESSING),
        "completed_count": len(COMPLETED),
        "failed_count": len(FAILED),
        "total_count": len(TITLES),
        "show_status": True,
        "waiting_for": None,
        "simulated": None,
        "projection_lag_seconds": 0.0,
    }
    assert [failure["title"] for failure in failures] == FAILED[:1:-1]  # the ten newest
    assert all(failure.keys() == {"id", "title", "error_message", "created_at"} for failure in failures)
    assert failures[0]["error_message"] == "no Failed 11"


async def test_the_worker_status_reports_a_missing_worker(reads: Api) -> None:
    async def known() -> Json | None:
        status = await reads.get("/worker-status")
        return None if status["message"].startswith("not known") else status

    assert await eventually(known, within=5) == {
        "worker_running": False,
        "pending_topics": len(PENDING + PARKED),
        "processing_topics": len(PROCESSING),
        "message": f"no topic-worker is running; {len(PENDING + PARKED + PROCESSING)} topics are waiting",
        "workers": [],
        "waiting_for": None,
        "simulated": None,
    }


async def test_the_summary_counts_each_status(reads: Api) -> None:
    summary = await reads.get("/topic-status-summary")
    counts = {"pending": len(PENDING + PARKED), "processing": len(PROCESSING)}
    counts |= {"completed": len(COMPLETED), "failed": len(FAILED)}
    assert summary == {"success": True, "summary": counts, "simulated": None}


async def test_health_without_a_worker_is_degraded_and_reports_the_rest(reads: Api) -> None:
    assert (await reads.http.get("/live")).json() == {"status": "ok"}
    ready = await reads.http.get("/ready")
    assert (ready.status_code, ready.json()) == (
        200,
        {"status": "ok", "broker": {"status": "ok"}, "database": {"status": "ok"}},
    )

    async def with_projector() -> Json | None:
        health = (await reads.http.get("/health")).json()
        return health if health["projectors"] else None

    health = await eventually(with_projector, within=5)
    assert (health["status"], health["topic_workers"], health["projectors"]) == ("degraded", 0, 1)
    assert (health["dead_letters"], health["projection_lag_seconds"]) == (0, 0.0)
    assert health["lag"].keys() == {"topic-worker", "enricher", "enricher-writes", "enricher-scans"}
