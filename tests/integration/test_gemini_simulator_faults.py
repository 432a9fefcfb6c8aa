"""The faults of the simulator of Gemini: their answers, the affected calls, start and end."""

import json
import time
from typing import Any

import httpx2
import pytest
from eventually import eventually
from google import genai
from google.genai import errors, types
from integration.simulator import CARDS, MODEL, A, B, C, Card, ask, ids, refusal
from servers import GeminiSimulator


@pytest.mark.parametrize("per", ["Minute", "Day"])
async def test_a_quota_error_has_its_quota_and_retry_delay(
    gemini: genai.Client, simulator: GeminiSimulator, per: str
) -> None:
    simulator.add_fault("429", retry_after_seconds=1.5, times=1, of_the_day=per == "Day")
    limited = await refusal(gemini, A)
    assert (limited.code, limited.status) == (429, "RESOURCE_EXHAUSTED")
    failure, retry = limited.details["error"]["details"]
    assert failure["@type"] == "type.googleapis.com/google.rpc.QuotaFailure"
    assert [f"Per{per}PerProject" in violation["quotaId"] for violation in failure["violations"]] == [True]
    assert retry == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}
    assert "retry-after" not in limited.response.headers
    assert ids(await ask(gemini, A)) == ["t0"]
    assert simulator.calls["by_status"] == {"429": 1, "200": 1}


async def test_a_quota_error_can_have_its_delay_in_the_header(gemini: genai.Client, simulator: GeminiSimulator) -> None:
    simulator.add_fault("429", retry_after_seconds=7, in_header=True)
    limited = await refusal(gemini, A)
    assert limited.response.headers["retry-after"] == "7"
    assert "RetryInfo" not in str(limited.details)


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        ("401", 401, "UNAUTHENTICATED"),
        ("403", 403, "PERMISSION_DENIED"),
        ("404", 404, "NOT_FOUND"),
        ("500", 500, "INTERNAL"),
        ("503", 503, "UNAVAILABLE"),
        ("504", 504, "DEADLINE_EXCEEDED"),
        ("bad_key", 400, "INVALID_ARGUMENT"),
    ],
)
async def test_faults_of_all_calls_affect_probes_too(
    gemini: genai.Client, simulator: GeminiSimulator, fault: str, code: int, status: str
) -> None:
    simulator.add_fault(fault)
    refused = await refusal(gemini, A)
    assert (refused.code, refused.status) == (code, status)
    with pytest.raises(errors.APIError):
        await gemini.aio.models.get(model=MODEL)
    simulator.forget_faults()
    assert ids(await ask(gemini, A)) == ["t0"]


async def test_faults_of_a_quota_a_title_or_a_share_do_not_affect_probes(
    gemini: genai.Client, simulator: GeminiSimulator
) -> None:
    simulator.add_fault("429")
    simulator.add_fault("400")
    simulator.add_fault("503", title_contains="shard")
    simulator.add_fault("503", share=0.5)
    for _ in range(2):
        assert (await gemini.aio.models.get(model=MODEL)).name


async def test_a_fault_with_a_title_affects_only_calls_with_it(
    gemini: genai.Client, simulator: GeminiSimulator
) -> None:
    simulator.add_fault("503", title_contains="sharding")
    assert (await refusal(gemini, C, A)).code == 503
    assert ids(await ask(gemini, C, B)) == ["t0", "t1"]


async def test_a_share_affects_calls_at_regular_intervals(gemini: genai.Client, simulator: GeminiSimulator) -> None:
    simulator.add_fault("empty", share=0.25)
    texts = [(await ask(gemini, A)).text for _ in range(8)]
    assert [n for n, text in enumerate(texts, 1) if not text] == [4, 8]


async def test_a_script_plays_over_time(gemini: genai.Client, simulator: GeminiSimulator) -> None:
    outage, quota = {"fault": "503", "for_seconds": 1}, {"fault": "429", "after_seconds": 1, "for_seconds": 600}
    simulator.play(outage, quota)
    [now, to_come] = simulator.faults
    assert (now.items() > outage.items(), 0 < now["seconds_left"] <= 1) == (True, True)
    assert (to_come.items() > quota.items(), 0 < to_come["begins_in_seconds"] <= 1) == (True, True)
    assert (await refusal(gemini, A)).code == 503
    await eventually(lambda: len(simulator.faults) == 1, within=5)
    assert (await refusal(gemini, A)).code == 429


async def test_a_fault_ends_after_its_duration(gemini: genai.Client, simulator: GeminiSimulator) -> None:
    simulator.add_fault("500", for_seconds=0.3)
    assert (await refusal(gemini, A)).code == 500
    await eventually(lambda: simulator.faults == [], within=5)
    assert ids(await ask(gemini, A)) == ["t0"]


async def test_faults_apply_in_the_order_they_were_added(gemini: genai.Client, simulator: GeminiSimulator) -> None:
    simulator.add_fault("500", times=2)
    simulator.add_fault("503", times=1)
    assert [(await refusal(gemini, A)).code for _ in range(3)] == [500, 500, 503]
    assert simulator.faults == []


@pytest.mark.parametrize("reason", ["SAFETY", "PROHIBITED_CONTENT"])
async def test_a_block_has_a_reason_and_no_candidates(
    gemini: genai.Client, simulator: GeminiSimulator, reason: str
) -> None:
    simulator.add_fault("block", title_contains=B, reason=reason)
    blocked = await ask(gemini, A, B)
    assert blocked.prompt_feedback is not None
    assert blocked.prompt_feedback.block_reason == types.BlockedReason(reason)
    assert blocked.candidates is None


@pytest.mark.parametrize("reason", ["SAFETY", "RECITATION", "MAX_TOKENS"])
async def test_a_truncated_answer_has_a_reason_and_no_text(
    gemini: genai.Client, simulator: GeminiSimulator, reason: str
) -> None:
    simulator.add_fault("finish", reason=reason)
    response = await ask(gemini, A)
    assert response.candidates is not None
    assert response.candidates[0].finish_reason == types.FinishReason(reason)
    assert response.text is None


async def test_an_empty_answer_has_usage_only(gemini: genai.Client, simulator: GeminiSimulator) -> None:
    simulator.add_fault("empty")
    response = await ask(gemini, A)
    assert response.candidates is None
    assert response.usage_metadata is not None
    assert simulator.calls["titles"] == {}


async def test_bad_json_is_invalid_json(gemini: genai.Client, simulator: GeminiSimulator) -> None:
    simulator.add_fault("bad_json")
    text = (await ask(gemini, A, B)).text or ""
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    assert simulator.calls["titles"] == {}


@pytest.mark.parametrize(
    ("fault", "begins", "ends"),
    [("fence", "```json\n[{", "}]\n```"), ("chat", "Here are", "?"), ("object", '{"topics": [{', "}]}")],
)
async def test_a_good_answer_can_be_wrapped_in_text(
    gemini: genai.Client, simulator: GeminiSimulator, fault: str, begins: str, ends: str
) -> None:
    simulator.add_fault(fault)
    text = (await ask(gemini, A, B)).text or ""
    assert (text.startswith(begins), text.endswith(ends)) == (True, True)
    cards = CARDS.validate_json(text[text.index("[") : text.rindex("]") + 1])
    assert [card.title for card in cards] == [A, B]
    assert simulator.calls["titles"] == {A: 1, B: 1}


async def test_one_bad_and_one_missing_item_leave_the_others_valid(
    gemini: genai.Client, simulator: GeminiSimulator
) -> None:
    simulator.add_fault("bad_item", title_contains=A, times=1)
    simulator.add_fault("missing_item", title_contains=B, times=1)
    bad, good = json.loads((await ask(gemini, A, B, C)).text or "")
    assert (bad["id"], bad["technologies"], bad["difficulty"]) == ("t0", [], 99)
    assert Card.model_validate(good).title == C
    assert simulator.calls["titles"] == {C: 1}
    assert ids(await ask(gemini, A, B)) == ["t0", "t1"]


async def test_a_hanging_call_ends_unpaid_when_its_client_gives_up(
    gemini: genai.Client, simulator: GeminiSimulator, impatient: genai.Client
) -> None:
    simulator.add_fault("hang", seconds=600, times=1)
    with pytest.raises(httpx2.TimeoutException):
        await ask(impatient, A)
    await eventually(lambda: simulator.calls["in_flight"] == 0, within=5)
    assert (simulator.calls["by_status"], simulator.calls["titles"]) == ({"gone": 1}, {})
    simulator.add_fault("hang", seconds=0.01)
    assert ids(await ask(gemini, A)) == ["t0"]
    assert (await gemini.aio.models.get(model=MODEL)).name


async def test_a_page_fault_sends_html(simulator: GeminiSimulator) -> None:
    simulator.add_fault("page")
    for method, path in (("GET", f"/v1/models/{MODEL}"), ("POST", f"/v1/models/{MODEL}:generateContent")):
        schema = {"type": "ARRAY", "items": {"type": "OBJECT"}}
        body = {"contents": [{"parts": [{"text": "[]"}]}], "generationConfig": {"responseSchema": schema}}
        answer = simulator.http.request(method, path, json=body, headers={"x-goog-api-key": "some-key"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


async def test_a_slow_call_is_answered_correctly_after_its_delay(
    gemini: genai.Client, simulator: GeminiSimulator
) -> None:
    simulator.add_fault("slow", seconds=0.5, share=0.5)
    took = []
    for _ in range(2):
        began = time.monotonic()
        assert ids(await ask(gemini, A)) == ["t0"]
        took.append(time.monotonic() - began)
    assert took[1] >= 0.5
    assert took[1] > took[0]
    assert simulator.calls["titles"] == {A: 2}


async def test_a_reset_connection_is_a_transport_error(gemini: genai.Client, simulator: GeminiSimulator) -> None:
    simulator.add_fault("reset", times=2)
    for _ in range(2):
        with pytest.raises(httpx2.TransportError):
            await ask(gemini, A)
    assert ids(await ask(gemini, A)) == ["t0"]
    assert simulator.calls["by_status"] == {"reset": 2, "200": 1}


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"fault": "418"},
        {"fault": "429", "times": 0},
        {"fault": "429", "for_seconds": -1},
        {"fault": "429", "title_contains": ""},
        {"fault": "429", "title": "misspelt"},
        {"fault": "hang", "seconds": "long"},
        {"fault": "503", "share": 0},
        {"fault": "503", "share": 1.1},
        [],
        [{"fault": "503"}, {"fault": "503", "after_seconds": -1}],
    ],
)
def test_an_invalid_fault_is_refused(simulator: GeminiSimulator, fault: Any) -> None:
    assert simulator.http.post("/simulator/faults", json=fault).status_code == 422
    assert simulator.faults == []
