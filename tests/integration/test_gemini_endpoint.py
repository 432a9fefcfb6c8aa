"""The URL of Gemini, the meaning of its 404, and that variables of other programs change neither."""

from typing import Any

import pytest
from integration.test_gemini import ask, client_of
from servers import GeminiSimulator

from shared.errors import SettingInvalid, Unavailable
from shared.llm.endpoint import Endpoint
from shared.llm.gemini import Answer
from topic_worker.settings import WorkerSettings

# Every variable that google-genai 3.4 reads, with a value that would break a call.
READ_BY_GOOGLE_GENAI = {
    "GOOGLE_API_KEY": "refused",
    "GOOGLE_CLOUD_LOCATION": "nowhere",
    "GOOGLE_CLOUD_PROJECT": "nobodys",
    "GOOGLE_GENAI_API_VERSION": "v99",
    "GOOGLE_GENAI_CLIENT_MODE": "replay",
    "GOOGLE_GENAI_HTTP_CLIENT": "httpx",
    "GOOGLE_GENAI_REPLAYS_DIRECTORY": "/nowhere",
    "GOOGLE_GENAI_REPLAY_ID": "nothing",
    "GOOGLE_GENAI_USE_ENTERPRISE": "true",
    "GOOGLE_GENAI_USE_VERTEXAI": "true",
    "GOOGLE_VERTEX_BASE_URL": "http://127.0.0.1:9",
    "SSL_CERT_DIR": "/nowhere",
    "SSL_CERT_FILE": "/nowhere",
}


async def call(endpoint: Endpoint, **options: Any) -> Answer | Exception:
    gemini = client_of(endpoint.base_url, endpoint=endpoint, **options)
    found = await ask(gemini, "Title")
    await gemini.close()
    return found


@pytest.mark.parametrize("name", READ_BY_GOOGLE_GENAI)
async def test_a_variable_of_google_genai_changes_nothing(
    simulator: GeminiSimulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, READ_BY_GOOGLE_GENAI[name])
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9")
    assert isinstance(await call(Endpoint(simulator.url)), Answer)


async def test_missing_certificates_are_reported_before_any_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    with pytest.raises(SettingInvalid, match=r"^SSL_CERT_FILE: no certificates in /nowhere\.pem: "):
        client_of("https://127.0.0.1:9")


@pytest.mark.parametrize("path", ["", "/", "/v1beta", "/v1", "/v1/"])
async def test_a_base_url_can_contain_the_version(simulator: GeminiSimulator, path: str) -> None:
    assert isinstance(await call(Endpoint.of(simulator.url + path, None)), Answer)


@pytest.mark.parametrize("model", ["gemini-flash-lite-latest", "gemini-3-flash-preview"])
async def test_models_that_exist_only_in_v1beta_are_found_by_default(simulator: GeminiSimulator, model: str) -> None:
    assert isinstance(await call(Endpoint(simulator.url), model=model), Answer)
    found = await call(Endpoint(simulator.url, "v1"), model=model)
    assert isinstance(found, Unavailable)
    assert f"no such model at {simulator.url}/v1/models/{model}:generateContent (404)" in str(found)


async def test_an_unknown_path_is_distinguished_from_an_unknown_model(simulator: GeminiSimulator) -> None:
    found = await call(Endpoint(f"{simulator.url}/elsewhere"))
    assert isinstance(found, Unavailable)
    assert f"nothing found at {simulator.url}/elsewhere/v1beta/models/" in str(found)
    assert "check GOOGLE_GEMINI_BASE_URL" in str(found)


async def test_an_unknown_model_is_reported_before_any_work(simulator: GeminiSimulator) -> None:
    gemini = client_of(simulator.url, model="gemini-2.0-flash")
    assert await gemini.is_simulated() is None
    assert [problem.code for problem in gemini.problems] == ["model_retired", "model_not_found"]
    assert f"no such model at {simulator.url}/v1beta/models/gemini-2.0-flash" in gemini.problems[1].text
    simulator.add_fault("503")
    assert await gemini.is_simulated() is None
    assert [problem.code for problem in gemini.problems] == ["model_retired", "model_not_found"]
    simulator.forget_faults()
    await gemini.close()


async def test_the_settings_set_endpoint_thinking_and_answer_tokens(
    simulator: GeminiSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {
        "GEMINI_API_KEY": "k",
        "GOOGLE_GEMINI_BASE_URL": f"{simulator.url}/v1",
        "GEMINI_TOPIC_THINKING": "high",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = WorkerSettings.load()
    assert settings.endpoint == Endpoint(simulator.url, "v1")
    assert (settings.model, settings.thinking, settings.answer_tokens) == ("gemini-3.5-flash-lite", "high", 4096)


@pytest.mark.parametrize(
    ("name", "value"),
    [("GEMINI_TOPIC_THINKING", "much"), ("GEMINI_TOPIC_OUTPUT_TOKENS", "100"), ("GEMINI_API_VERSION", "beta")],
)
async def test_an_invalid_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingInvalid, match=f"^{name}: "):
        WorkerSettings.load()


async def test_each_call_limits_the_answer_and_sets_the_thinking_level(simulator: GeminiSimulator) -> None:
    gemini = client_of(simulator.url, thinking="minimal", answer_tokens=4096)
    assert isinstance(answer := await ask(gemini, "Title"), Answer)
    assert simulator.calls["configs"][-1] == {
        "responseMimeType": "application/json",
        "maxOutputTokens": 5120,
        "thinkingConfig": {"thinkingLevel": "minimal"},
    }
    assert answer.tokens_thought == 0
    await gemini.close()


async def test_thoughts_are_counted(simulator: GeminiSimulator) -> None:
    gemini = client_of(simulator.url, thinking="medium")
    assert isinstance(answer := await ask(gemini, "Title"), Answer)
    assert answer.tokens_thought == 256
    await gemini.close()


async def test_a_budget_for_a_model_without_a_price_is_refused_until_a_price_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = {"GEMINI_API_KEY": "k", "GEMINI_MODEL": "of-our-own", "TOPICFLOW_DAILY_BUDGET": "1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingInvalid, match=r"^TOPICFLOW_DAILY_BUDGET: no price is known for 'of-our-own'"):
        WorkerSettings.load()
    monkeypatch.setenv("TOPICFLOW_PRICES", "of-our-own=1/2")
    assert WorkerSettings.load().prices.has("of-our-own")
