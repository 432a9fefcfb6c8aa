"""POST /articles/import against a running deployment: a scan does not submit articles enriched elsewhere."""

from typing import Any

import pytest
from eventually import eventually
from integration.api import Api, Json, problem

from shared.ids import article_id

THEN, LATER = "a" * 64, "b" * 64  # hashes of a text, and of another


async def import_urns(api: Api, *urns: str, dry_run: bool = False) -> Json:
    answer = await api.ask("POST", "/articles/import", json={"urns": urns, "dry_run": dry_run})
    assert answer.status_code == (200 if dry_run else 202), answer.text
    return dict(answer.json())


async def article(api: Api, urn: str) -> Json:
    """The article, once everything is projected."""

    async def projected() -> Json | None:
        answer = await api.ask("GET", f"/articles/{urn}")
        return answer.json() if answer.is_success and answer.json()["projection_lag_seconds"] == 0 else None

    return await eventually(projected, within=20)


async def scanned(api: Api, **hashes: str) -> list[str]:
    """Submits these as a scan does, by the last part of their URNs; returns the URNs that are due."""
    by_urn = {f"urn:article:{name.replace('_', '-')}": hash_ for name, hash_ in hashes.items()}
    answer = await api.ask("POST", "/articles", json={"urns": list(by_urn), "input_hashes": by_urn})
    assert answer.status_code == 202, answer.text
    return [one["urn"] for one in answer.json()["articles"] if one["status"] == "pending"]


async def test_an_article_enriched_elsewhere_is_completed_without_a_result(api: Api) -> None:
    urn = "urn:article:enriched-elsewhere"
    answer = await import_urns(api, f" {urn} ")
    assert answer == {
        "dry_run": False,
        "imported": 1,
        "skipped": 0,
        "articles": [{"id": article_id(urn), "urn": urn, "verdict": "imported", "reason": None}],
    }
    here = await article(api, urn)
    assert {name: here[name] for name in ("urn", "status", "attempt", "result", "enriched_at", "worker")} == {
        "urn": urn,
        "status": "completed",
        "attempt": 1,
        "result": None,
        "enriched_at": None,
        "worker": "import",
    }


async def test_importing_an_article_again_changes_nothing(api: Api) -> None:
    urns = [f"urn:article:again-{n}" for n in range(500)]
    for _ in range(2):  # not projected yet
        await import_urns(api, *urns)
    before = await article(api, urns[-1])
    again = await import_urns(api, *urns)
    assert (again["imported"], again["skipped"]) == (0, 500)
    assert {one["reason"] for one in again["articles"]} == {"already completed here"}
    after = await article(api, urns[-1])
    assert (after["updated_at"], after["attempt"]) == (before["updated_at"], 1)
    assert (await api.get("/articles", search="again-"))["total_count"] == 500


async def test_a_scan_submits_an_imported_article_only_if_its_text_changed_since_the_first_scan(api: Api) -> None:
    await import_urns(api, "urn:article:scanned")
    await article(api, "urn:article:scanned")
    assert await scanned(api, scanned=THEN) == []
    adopted = await article(api, "urn:article:scanned")
    assert (adopted["status"], adopted["result"]) == ("completed", None)
    assert await scanned(api, scanned=THEN) == []
    assert await scanned(api, scanned=LATER) == ["urn:article:scanned"]


async def test_submitting_an_imported_article_is_skipped_unless_forced(api: Api) -> None:
    urn = "urn:article:submitted-again"
    await import_urns(api, urn)
    await article(api, urn)
    assert (await api.ask("POST", f"/articles/{urn}/enrich")).json()["skipped"] == 1
    assert (await api.ask("POST", f"/articles/{urn}/enrich", json={"force": True})).json()["accepted"] == 1


async def test_a_forgotten_article_stays_forgotten_and_a_waiting_one_waits(api: Api) -> None:
    forgotten, waits = "urn:article:forgotten", "urn:article:waits"
    await import_urns(api, forgotten)
    await article(api, forgotten)
    assert (await api.ask("DELETE", f"/articles/{forgotten}/enrichment")).is_success
    await api.ask("POST", f"/articles/{waits}/enrich")
    await article(api, waits)
    answer = await import_urns(api, forgotten, waits)
    assert [one["reason"] for one in answer["articles"]] == ["forgotten here", "already pending here"]
    assert await scanned(api, forgotten=THEN) == [forgotten]


async def test_a_dry_run_reports_the_same_steps_and_changes_nothing(api: Api) -> None:
    urns = ["urn:article:dry", "urn:article:dry", "urn:article:dry-too"]
    dry = await import_urns(api, *urns, dry_run=True)
    assert [one["verdict"] for one in dry["articles"]] == ["imported", "skipped", "imported"]
    problem(await api.ask("GET", "/articles/urn:article:dry"), 404)
    assert await import_urns(api, *urns) == dry | {"dry_run": False}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"urns": []}, "urns"),
        ({"urns": [f"urn:article:{n}" for n in range(501)]}, "urns"),
        ({}, "urns"),
        ({"urns": ["urn:article:x", "12345"]}, "urns[1]"),
        ({"urns": ["urn:article:x"], "force": True}, "force"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_an_invalid_body_is_refused_with_the_name_of_the_field(api: Api, body: Any, field: str) -> None:
    refused = problem(await api.ask("POST", "/articles/import", json=body), 422)
    assert refused["errors"][0]["field"] == field
