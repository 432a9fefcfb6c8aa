"""The answers of the simulator of Gemini: its cards, and its errors in the format of Gemini."""

import json
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types
from integration.simulator import CARDS, MODEL, A, Article, B, ask, client
from servers import GeminiSimulator


async def test_each_topic_gets_a_card_with_its_id_and_title(gemini: genai.Client, simulator: GeminiSimulator) -> None:
    response = await ask(gemini, A, B)
    cards = CARDS.validate_json(response.text or "")
    assert [(card.id, card.title) for card in cards] == [("t0", A), ("t1", B)]
    assert response.candidates is not None
    assert response.candidates[0].finish_reason == types.FinishReason.STOP
    assert response.model_version == MODEL
    assert response.response_id
    assert simulator.calls["titles"] == {A: 1, B: 1}


async def test_tokens_are_a_quarter_of_the_characters(gemini: genai.Client) -> None:
    response = await ask(gemini, A)
    usage = response.usage_metadata
    assert usage is not None
    assert usage.candidates_token_count == -(-len(response.text or "") // 4)
    prompt = "Write one card for each topic." + "Topics follow." + json.dumps([{"id": "t0", "title": A}])
    assert usage.prompt_token_count == -(-len(prompt) // 4)
    assert usage.thoughts_token_count == 256  # the default amount of thinking
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count + 256


@pytest.mark.parametrize("dialect", ["response_schema", "response_json_schema"])
async def test_an_article_gets_one_object_in_either_dialect_of_schema(gemini: genai.Client, dialect: str) -> None:
    article = {"urn": "urn:article:oats", "title": "Oats and cholesterol", "abstract": "A trial of 90 adults."}
    schema = Article if dialect == "response_schema" else Article.model_json_schema()
    config = types.GenerateContentConfig.model_validate({"response_mime_type": "application/json", dialect: schema})
    response = await gemini.aio.models.generate_content(model=MODEL, contents=json.dumps(article), config=config)
    keywords = Article.model_validate_json(response.text or "").keywords
    assert all(keyword in f"{article['title']} {article['abstract']}" for keyword in keywords)


@pytest.mark.parametrize(
    ("model", "versions"),
    [
        (MODEL, ["v1", "v1beta"]),
        ("gemini-2.5-flash", ["v1", "v1beta"]),
        ("gemini-flash-latest", ["v1beta"]),
        ("gemini-3.1-pro-preview", ["v1beta"]),
        ("gemini-2.0-flash", []),
        ("of-our-own", []),
    ],
)
def test_models_exist_in_their_api_versions_only(simulator: GeminiSimulator, model: str, versions: list[str]) -> None:
    for version in ("v1", "v1beta"):
        probed = simulator.http.get(f"/{version}/models/{model}", headers=KEY)
        generated = generate(simulator, {}, model, version)
        assert [probed.status_code, generated.status_code] == [200 if version in versions else 404] * 2
        if version not in versions:
            message = f"models/{model} is not found for API version {version}"
            assert all(answer.json()["error"]["message"].startswith(message) for answer in (probed, generated))


def test_the_successor_of_a_retired_model_answers_for_it(simulator: GeminiSimulator) -> None:
    assert generate(simulator, {}, "gemini-2.5-flash").json()["modelVersion"] == "gemini-3.5-flash-lite"
    assert generate(simulator, {}, "gemini-2.5-pro").json()["modelVersion"] == "gemini-3.8-flash"


def test_the_simulator_can_answer_as_another_model(simulator: GeminiSimulator) -> None:
    simulator.answer_as("gemini-9")
    assert generate(simulator, {}).json()["modelVersion"] == "gemini-9"
    simulator.answer_as(None)
    assert generate(simulator, {}).json()["modelVersion"] == MODEL


@pytest.mark.parametrize(
    ("model", "thinking", "thoughts"),
    [
        (MODEL, {"thinkingLevel": "minimal"}, 0),
        (MODEL, {"thinkingLevel": "high"}, 1024),
        (MODEL, {"thinkingBudget": 0}, 0),  # still accepted by generation 3
        ("gemini-2.5-flash-lite", {"thinkingBudget": 100}, 100),
        ("gemini-2.5-flash-lite", {}, 256),
        ("gemini-2.5-flash-lite", {"thinkingLevel": "low"}, None),
        ("gemini-3.8-flash", {"thinkingLevel": "minimal"}, None),
        (MODEL, {"thinkingLevel": "low", "thinkingBudget": 1}, None),
        (MODEL, {"thinkingLevel": "much"}, None),
    ],
)
def test_thoughts_are_counted_and_unsupported_options_are_refused(
    simulator: GeminiSimulator, model: str, thinking: dict[str, Any], thoughts: int | None
) -> None:
    answer = generate(simulator, {"thinkingConfig": thinking}, model)
    assert answer.status_code == (400 if thoughts is None else 200)
    if thoughts is not None:
        assert answer.json()["usageMetadata"]["thoughtsTokenCount"] == thoughts


def test_thoughts_and_answer_together_are_cut_off_at_the_limit(simulator: GeminiSimulator) -> None:
    config = {"thinkingConfig": {"thinkingLevel": "low"}, "maxOutputTokens": 70}
    answer = generate(simulator, config).json()
    assert answer["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert len(answer["candidates"][0]["content"]["parts"][0]["text"]) == (70 - 64) * 4
    usage = answer["usageMetadata"]
    assert (usage["thoughtsTokenCount"], usage["candidatesTokenCount"]) == (64, 6)


async def test_a_probe_of_a_model_is_free(gemini: genai.Client, simulator: GeminiSimulator) -> None:
    assert (await gemini.aio.models.get(model=MODEL)).name == f"models/{MODEL}"
    assert (simulator.calls["calls"], simulator.calls["probes"]) == (0, 1)


async def test_a_refused_key_is_an_invalid_argument_as_in_gemini(simulator: GeminiSimulator) -> None:
    async with client(simulator.url, api_key="refused").aio as gemini:
        for call in (gemini.models.generate_content(model=MODEL, contents="[]"), gemini.models.get(model=MODEL)):
            with pytest.raises(errors.ClientError, match="API key not valid") as caught:
                await call
            assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
            assert caught.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"


def test_every_response_is_marked_as_simulated(simulator: GeminiSimulator) -> None:
    paths = ("/live", "/nowhere", "/simulator/calls", f"/v1/models/{MODEL}", "/v1/models/x:generateContent")
    answers = [simulator.http.request("POST" if ":" in path else "GET", path) for path in paths]
    assert [answer.status_code for answer in answers] == [200, 404, 200, 403, 403]
    assert all(answer.headers["x-topicflow-simulated"] == "true" for answer in answers)


KEY = {"x-goog-api-key": "some-key"}


def generate(
    simulator: GeminiSimulator, config: dict[str, Any], model: str = MODEL, version: str = "v1beta"
) -> httpx.Response:
    """One card of that model, by a request in JSON."""
    data = json.dumps([{"id": "t0", "title": A}])
    body = {
        "contents": [{"parts": [{"text": data}]}],
        "generationConfig": {"responseJsonSchema": CARDS.json_schema(), **config},
    }
    return simulator.http.post(f"/{version}/models/{model}:generateContent", json=body, headers=KEY)


def post(simulator: GeminiSimulator, body: str) -> httpx.Response:
    """A call with any body."""
    path, key = f"/v1beta/models/{MODEL}:generateContent", {"x-goog-api-key": "some-key"}
    return simulator.http.post(path, content=body, headers=key)


@pytest.mark.parametrize("body", ["", "[]", "{", "{}", '{"contents": []}', '{"contents": [{"parts": []}]}'])
def test_an_unreadable_request_is_a_400_in_the_format_of_gemini(simulator: GeminiSimulator, body: str) -> None:
    refused = post(simulator, body)
    assert (refused.status_code, refused.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_unusable_data_is_a_400(simulator: GeminiSimulator) -> None:
    def status_of(data: str, schema: dict[str, Any]) -> int:
        request = {"contents": [{"parts": [{"text": data}]}], "generationConfig": {"responseJsonSchema": schema}}
        return post(simulator, json.dumps(request)).status_code

    schema = Article.model_json_schema()
    half_a_pair, far_too_deep = '{"title": "\\ud800"}', "[" * 100_000
    assert status_of('{"title": "Oats"}', schema) == 200
    for data in ("Write about oats", "7", "[7]", "[]", half_a_pair, far_too_deep):
        assert status_of(data, schema) == 400
    assert status_of('{"title": "Oats"}', {}) == 400


async def test_an_array_of_data_needs_an_array_schema(gemini: genai.Client) -> None:
    config = types.GenerateContentConfig(response_json_schema=Article.model_json_schema())
    with pytest.raises(errors.ClientError, match="array schema"):
        await gemini.aio.models.generate_content(model=MODEL, contents="[]", config=config)
