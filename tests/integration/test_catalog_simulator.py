"""The simulator of the catalogue as a process, over plain HTTP."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from eventually import eventually
from servers import CatalogSimulator

OATS = "urn:article:oat-beta-glucan-ldl"
JAPANESE = "urn:article:natto-osteoporosis"
WITHOUT_TEXT = "urn:article:title-only-corrigendum"


class CatalogApi:
    """An HTTP client of the simulated API, with its own token."""

    def __init__(self, simulator: CatalogSimulator) -> None:
        self.http = httpx.Client(base_url=f"{simulator.url}/api/v1", trust_env=False, timeout=5)
        self.log_in()

    def log_in(self) -> None:
        token = self.ask("POST", "/system/mtm", json={"client_id": "c", "client_secret": "s"})
        self.http.headers["authorization"] = f"Bearer {token['access_token']}"

    def ask(self, method: str, path: str, **sent: Any) -> Any:
        answer = self.http.request(method, path, **sent)
        assert answer.is_success, answer.text
        body = answer.json()
        assert (body["success"], body["help"]) == (True, str(answer.request.url))
        return body["result"]

    def refused(self, method: str, path: str, **sent: Any) -> tuple[int, dict[str, Any]]:
        answer = self.http.request(method, path, **sent)
        body = answer.json()
        assert (body["success"], body["help"]) == (False, str(answer.request.url))
        assert body["error"]["title"]
        assert body["error"]["detail"]
        return answer.status_code, body["error"]

    def found(self, **search: Any) -> list[str]:
        return [article["urn"] for article in self.ask("POST", "/articles/search", json=search)["results"]]


@pytest.fixture
def simulator(catalog_simulator: CatalogSimulator) -> CatalogSimulator:
    return catalog_simulator


@pytest.fixture
def api(simulator: CatalogSimulator) -> Iterator[CatalogApi]:
    client = CatalogApi(simulator)
    simulator.forget_calls()
    yield client
    client.http.close()


# -- authentication ------------------------------------------------------------------------------------------------


def test_a_token_has_its_lifetime(api: CatalogApi, simulator: CatalogSimulator) -> None:
    simulator.tokens_last(5)
    token = api.ask("POST", "/system/mtm", json={"client_id": "c", "client_secret": "s"})
    assert (len(token["access_token"]) > 20, token["expires_in"]) == (True, 5)


def test_wrong_credentials_are_a_401_and_none_a_422(api: CatalogApi) -> None:
    status, error = api.refused("POST", "/system/mtm", json={"client_id": "c", "client_secret": "refused"})
    assert (status, error["code"]) == (401, "auth/unauthorized")
    status, error = api.refused("POST", "/system/mtm", json={"client_id": "c"})
    assert (status, error["errors"][0]["loc"]) == (422, ["body", "client_secret"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/articles"),
        ("GET", f"/articles/{OATS}"),
        ("POST", "/articles/search"),
        ("PATCH", f"/articles/{OATS}"),
        ("PATCH", f"/articles/{OATS}/enhance"),
    ],
)
def test_every_route_needs_a_token(api: CatalogApi, method: str, path: str) -> None:
    for header in ("", "Bearer nonsense", "Basic Yzpz"):
        assert api.refused(method, path, headers={"authorization": header})[0] == 401


async def test_a_token_expires_after_its_lifetime_and_when_all_are_ended(
    api: CatalogApi, simulator: CatalogSimulator
) -> None:
    simulator.tokens_last(0.2)
    api.log_in()
    assert api.ask("GET", "/articles", params={"limit": 1})
    await eventually(lambda: api.http.get("/articles").status_code == 401, within=5)
    simulator.tokens_last(300)
    api.log_in()
    assert api.ask("GET", "/articles", params={"limit": 1})
    simulator.end_tokens()
    assert api.refused("GET", "/articles")[0] == 401


def test_every_response_is_marked_as_simulated(simulator: CatalogSimulator) -> None:
    answers = [simulator.http.get(path) for path in ("/live", "/nowhere", "/api/v1/articles", "/simulator/calls")]
    assert [answer.status_code for answer in answers] == [200, 404, 401, 200]
    assert all(answer.headers["x-topicflow-simulated"] == "true" for answer in answers)


# -- reading -------------------------------------------------------------------------------------------------------


def test_the_list_has_urns_and_changes_its_order_when_articles_are_patched(api: CatalogApi) -> None:
    first = api.ask("GET", "/articles", params={"limit": 3})
    third = api.ask("GET", "/articles", params={"limit": 1, "offset": 2})
    assert third == first[2:]
    api.ask("PATCH", f"/articles/{third[0]}", json={"extras": {"seen": True}})
    assert api.ask("GET", "/articles", params={"limit": 3}) == [third[0], *first[:2]]
    everything = api.ask("GET", "/articles", params={"limit": 1000})
    assert len(set(everything)) == len(everything) >= 36
    assert api.ask("GET", "/articles", params={"limit": 10, "offset": len(everything)}) == []


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 1001}, {"offset": -1}, {"limit": "many"}])
def test_an_invalid_page_is_a_422(api: CatalogApi, params: dict[str, Any]) -> None:
    status, error = api.refused("GET", "/articles", params=params)
    assert (status, error["errors"][0]["loc"]) == (422, ["query", next(iter(params))])


def test_articles_have_texts_in_many_languages_and_some_have_none(api: CatalogApi) -> None:
    assert "納豆" in api.ask("GET", f"/articles/{JAPANESE}")["title"]
    without = api.ask("GET", f"/articles/{WITHOUT_TEXT}")
    assert (without["abstract"], without["content"], without["extras"]) == (None, "", None)
    articles = api.ask("POST", "/articles/search", json={"limit": 1000})["results"]
    assert sum(bool(article["content"] and article["abstract"]) for article in articles) >= 2
    assert {"en", "fr", "de", "el", "ja", "es", "pl", "ar"} == {article["language"] for article in articles}


def test_an_unknown_urn_is_a_404(api: CatalogApi) -> None:
    for path in ("/articles/urn:article:nowhere", "/articles/urn:article:made-000000"):
        status, error = api.refused("GET", path)
        assert (status, error["code"]) == (404, "resource/not_found")


def test_a_search_has_results_facets_and_a_total(api: CatalogApi) -> None:
    found = api.ask(
        "POST", "/articles/search", json={"q": "oat", "fl": ["urn", "title:name"], "fields": ["language"], "limit": 1}
    )
    assert [set(article) for article in found["results"]] == [{"urn", "name", "_score"}]
    assert found["total"] >= 2
    assert found["facets"]["language"][0]["value"] == "en"


def test_a_search_filters_and_sorts(api: CatalogApi) -> None:
    assert api.found(fq=["language:ja"]) == [JAPANESE]
    assert api.found(fq=["NOT abstract:*", 'content:""']) == [WITHOUT_TEXT, "urn:article:title-only-conference"]
    assert api.found(fq=['venue:"Bread Science"', "publication_year:[2019-01-01 TO *]"]) == [
        "urn:article:sourdough-bread-fodmap"
    ]
    urns = api.found(sort="urn desc", limit=1000)
    assert urns == sorted(urns, reverse=True)
    assert api.found(sort="urn", fq=[f'urn:{{"{urns[3]}" TO *]']) == urns[2::-1]
    assert api.found(sort="urn", fq=[f'urn:["{urns[3]}" TO "{urns[1]}"}}', "NOT status:deleted"]) == urns[3:1:-1]
    by_year = api.ask("POST", "/articles/search", json={"sort": "publication_year desc, urn", "limit": 1000})["results"]
    keys = [(article["publication_year"], article["urn"]) for article in by_year]
    assert keys == sorted(sorted(keys, key=lambda key: key[1]), key=lambda key: key[0], reverse=True)
    api.ask("PATCH", f"/articles/{OATS}", json={"extras": {"input_hash": "x"}})
    assert api.found(fq=["extras.input_hash:*"]) == []  # stored, not indexed
    assert api.refused("POST", "/articles/search", json={"fq": ["(((("]})[0] == 400


def test_a_search_refuses_windows_past_ten_thousand(api: CatalogApi, simulator: CatalogSimulator) -> None:
    simulator.begin(made=100_000)
    last = api.ask("POST", "/articles/search", json={"limit": 1000, "offset": 9000, "sort": "urn"})
    assert (len(last["results"]), last["total"]) == (1000, 10_000)
    status, error = api.refused("POST", "/articles/search", json={"limit": 1000, "offset": 9001})
    assert (status, "window" in error["detail"]) == (400, True)
    assert api.refused("POST", "/articles/search", json={"limit": 1001})[0] == 422
    made = api.ask("GET", "/articles", params={"limit": 1, "offset": 100_000})[0]
    assert api.ask("GET", f"/articles/{made}") == api.ask("GET", f"/articles/{made}")


# -- writing -------------------------------------------------------------------------------------------------------


def test_extras_merge_and_null_stays_null(api: CatalogApi) -> None:
    def patch(**extras: Any) -> Any:
        return api.ask("PATCH", f"/articles/{OATS}", json={"extras": extras})["extras"]

    assert patch(a=1, deep={"b": 1}) == {"a": 1, "deep": {"b": 1}}
    assert patch(deep={"c": "日誌"}, a=None) == {"a": None, "deep": {"b": 1, "c": "日誌"}}
    assert api.ask("GET", f"/articles/{OATS}")["extras"] == {"a": None, "deep": {"b": 1, "c": "日誌"}}


@pytest.mark.parametrize("field", ["ai_tags", "ai_category", "ai_key_takeaways", "urn", "updated_at"])
def test_a_machine_field_in_a_plain_patch_is_a_422(api: CatalogApi, field: str) -> None:
    status, error = api.refused("PATCH", f"/articles/{OATS}", json={field: ["x"], "extras": {"a": 1}})
    assert (status, error["errors"][0]["loc"]) == (422, ["body", field])
    assert api.ask("GET", f"/articles/{OATS}")["extras"] is None


def test_an_enhancement_returns_the_written_fields(api: CatalogApi, simulator: CatalogSimulator) -> None:
    fields = {"ai_tags": ["Oats", "LDL"], "ai_category": "Other", "ai_key_takeaways": ["Small effect."]}
    done = api.ask("PATCH", f"/articles/{OATS}/enhance", json={"agent": "enricher-1", "fields": fields})
    assert (done["urn"], done["agent"], set(done["enhanced_fields"])) == (OATS, "enricher-1", set(fields))
    assert done["run_id"]
    assert api.ask("GET", f"/articles/{OATS}") | fields == api.ask("GET", f"/articles/{OATS}")
    assert simulator.calls["enhances"] == {OATS: 1}


@pytest.mark.parametrize(
    ("agent", "fields", "field"),
    [
        ("a", {"ai_tags": ["Oats", "oats"]}, "ai_tags"),
        ("a", {"ai_tags": "oats"}, "ai_tags"),
        ("a", {"ai_key_takeaways": "one text"}, "ai_key_takeaways"),
        ("a", {"ai_key_takeaways": [1]}, "ai_key_takeaways"),
        ("a", {"extras": {}}, "extras"),
        ("a", {}, "fields"),
        ("Not a slug", {"ai_tags": ["oats"]}, "agent"),
    ],
)
def test_an_invalid_enhancement_is_a_422_with_the_name_of_the_field(
    api: CatalogApi, agent: str, fields: dict[str, Any], field: str
) -> None:
    status, error = api.refused("PATCH", f"/articles/{OATS}/enhance", json={"agent": agent, "fields": fields})
    assert (status, error["code"]) == (422, "request/unprocessable")
    assert field in error["errors"][0]["loc"]


def test_a_body_that_is_no_json_is_a_422(api: CatalogApi) -> None:
    for body in ("", "{", "[]", '"x"', '{"extras": 7}', '{"extras": NaN}'):
        assert api.refused("PATCH", f"/articles/{OATS}", content=body)[0] == 422


# -- faults ---------------------------------------------------------------------------------------------------------


def test_a_fault_has_a_scope_and_an_end(api: CatalogApi, simulator: CatalogSimulator) -> None:
    simulator.add_fault("404", route="read", urn_contains="oat", times=1)
    simulator.add_fault("422", route="patch", urn_contains="natto")
    assert api.refused("GET", f"/articles/{OATS}")[0] == 404
    assert api.ask("GET", f"/articles/{OATS}")["urn"] == OATS
    assert api.refused("PATCH", f"/articles/{JAPANESE}", json={})[0] == 422
    assert api.ask("PATCH", f"/articles/{OATS}", json={})["urn"] == OATS
    simulator.forget_faults()
    assert api.ask("PATCH", f"/articles/{JAPANESE}", json={})["urn"] == JAPANESE


def test_an_outage_affects_every_route_and_sends_retry_after(api: CatalogApi, simulator: CatalogSimulator) -> None:
    simulator.add_fault("503", retry_after_seconds=7)
    answers = [api.http.get("/articles"), api.http.post("/system/mtm"), api.http.get(f"/articles/{OATS}")]
    assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(503, "7")] * 3


def test_a_request_with_a_lost_answer_is_executed_and_one_with_a_reset_is_not(
    api: CatalogApi, simulator: CatalogSimulator
) -> None:
    for fault in ("reset", "lost"):
        simulator.add_fault(fault, route="patch", times=1)
        with pytest.raises(httpx.TransportError):
            api.http.patch(f"/articles/{OATS}", json={"extras": {"by": fault}})
    assert simulator.calls["patches"] == {OATS: 1}
    assert simulator.calls["by_status"] == {"reset": 2}
    assert simulator.article(OATS)["extras"] == {"by": "lost"}


async def test_a_slow_call_is_answered_late_and_a_hanging_one_ends_with_its_client(
    api: CatalogApi, simulator: CatalogSimulator
) -> None:
    simulator.add_fault("slow", seconds=0.05, times=1)
    assert api.ask("GET", f"/articles/{OATS}")["urn"] == OATS
    simulator.add_fault("hang")
    with pytest.raises(httpx.TimeoutException):
        api.http.get(f"/articles/{OATS}", timeout=0.2)
    await eventually(lambda: simulator.calls["in_flight"] == 0, within=5)
    assert simulator.calls["by_status"] == {"200": 1, "gone": 1}


@pytest.mark.parametrize(
    "fault", [{}, {"fault": "418"}, {"fault": "503", "times": 0}, {"fault": "503", "urn": "misspelt"}]
)
def test_an_invalid_fault_is_refused(simulator: CatalogSimulator, fault: dict[str, Any]) -> None:
    assert simulator.http.post("/simulator/faults", json=fault).status_code == 422
    assert simulator.http.get("/simulator/faults").json() == []


# -- its articles ---------------------------------------------------------------------------------------------------


def test_articles_can_be_added_edited_and_removed(api: CatalogApi, simulator: CatalogSimulator) -> None:
    urn = "urn:article:straße/日誌"
    simulator.write(urn, title="Ein Tagebuch", abstract="Über Brot.")
    assert api.ask("GET", "/articles", params={"limit": 1}) == [urn]
    simulator.write(OATS, abstract="Edited.")
    assert api.ask("GET", f"/articles/{OATS}")["abstract"] == "Edited."
    assert list(simulator.written) == [urn, OATS]
    simulator.remove(OATS)
    assert api.refused("GET", f"/articles/{OATS}")[0] == 404
    simulator.begin()
    assert simulator.written == {}
    assert api.ask("GET", f"/articles/{OATS}")["abstract"] != "Edited."


def test_with_a_file_written_articles_and_their_order_survive_a_restart(tmp_path: Path) -> None:
    simulator = CatalogSimulator(tmp_path, made=3, file=tmp_path / "catalog.db")
    simulator.start()
    for urn in (OATS, JAPANESE, OATS, "urn:article:made-000001"):
        simulator.write(urn, extras={"input_hash": urn})
    before = simulator.written
    simulator.kill()
    simulator.start()
    assert simulator.written == before
    api = CatalogApi(simulator)
    assert api.ask("GET", "/articles", params={"limit": 3}) == ["urn:article:made-000001", OATS, JAPANESE]
    api.http.close()
    simulator.end()


def test_a_foreign_file_stops_the_simulator_at_once(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("Not a database. " * 100)
    command = [sys.executable, "-m", "simulators.catalog", "--port", "0", "--file", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert str(file) in done.stderr
