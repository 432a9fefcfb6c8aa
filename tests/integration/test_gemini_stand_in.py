"""The stand-in for Gemini as a process, asked by the client that the services use."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any

import httpx
import httpx2
import pytest
from eventually import eventually
from google import genai
from google.genai import errors, types
from pydantic import BaseModel, Field, TypeAdapter

MODEL = "gemini-2.5-flash"
A, B, C = "Sharding a key-value store", "Écrire un journal 日誌", "Rate limiting at the edge"


class Card(BaseModel):
    id: str
    title: str = Field(max_length=100)
    description: str
    technologies: list[str] = Field(min_length=3)
    difficulty: int = Field(ge=1, le=10)


class Article(BaseModel):
    keywords: list[str] = Field(min_length=1, max_length=10)
    verdict: str


CARDS = TypeAdapter(list[Card])


class StandIn:
    """The server's control surface."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, trust_env=False)

    def tell(self, mood: str, **scope: Any) -> None:
        self.http.post("/stand-in/moods", json={"mood": mood} | scope).raise_for_status()

    def take(self, seconds: float) -> None:
        self.http.put("/stand-in/seconds", json={"seconds": seconds}).raise_for_status()

    def post(self, body: str) -> httpx.Response:
        """A call in bytes that no client would send."""
        path, key = f"/v1beta/models/{MODEL}:generateContent", {"x-goog-api-key": "some-key"}
        return self.http.post(path, content=body, headers=key)

    @property
    def calls(self) -> dict[str, Any]:
        return dict(self.http.get("/stand-in/calls").raise_for_status().json())


def start(*arguments: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
    """Starts the server on a free port; answers with its process and address once it is ready."""
    command = [sys.executable, "-m", "stand_ins.gemini", "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | environment)
    assert process.stderr is not None
    said = process.stderr.readline()
    assert said.startswith("stand-in for Gemini at http://127.0.0.1:"), said
    assert said.endswith(" (simulated answers)\n")
    return process, said.split()[4]


def stop(process: subprocess.Popen[str]) -> str:
    """Terminates the server and answers with all it said after its first line."""
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=5)[1]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    process, url = start()
    yield url
    assert stop(process) == ""


@pytest.fixture
def stand_in(address: str) -> Iterator[StandIn]:
    surface = StandIn(address)
    with closing(surface.http):
        surface.take(0)
        surface.http.delete("/stand-in/moods")
        surface.http.delete("/stand-in/calls")
        yield surface


def client(url: str, api_key: str = "some-key", seconds: float = 5) -> genai.Client:
    options = types.HttpOptions(base_url=url, timeout=int(seconds * 1000))
    return genai.Client(api_key=api_key, http_options=options)


@pytest.fixture
async def gemini(stand_in: StandIn) -> AsyncIterator[genai.Client]:
    asked = client(stand_in.url)
    yield asked
    await asked.aio.aclose()
    asked.close()


@pytest.fixture
async def impatient(stand_in: StandIn) -> AsyncIterator[genai.Client]:
    asked = client(stand_in.url, seconds=0.3)
    yield asked
    await asked.aio.aclose()
    asked.close()


async def ask(gemini: genai.Client, *titles: str) -> types.GenerateContentResponse:
    data = [{"id": f"t{n}", "title": title} for n, title in enumerate(titles)]
    config = types.GenerateContentConfig(
        system_instruction="Write one card for each topic.",
        response_mime_type="application/json",
        response_json_schema=CARDS.json_schema(),
    )
    return await gemini.aio.models.generate_content(
        model=MODEL, contents=["Topics follow.", json.dumps(data)], config=config
    )


def ids(response: types.GenerateContentResponse) -> list[str]:
    return [card.id for card in CARDS.validate_json(response.text or "")]


async def refusal(gemini: genai.Client, *titles: str) -> errors.APIError:
    with pytest.raises(errors.APIError) as caught:
        await ask(gemini, *titles)
    return caught.value


async def test_each_topic_gets_a_card_with_its_id_and_title(gemini: genai.Client, stand_in: StandIn) -> None:
    response = await ask(gemini, A, B)
    cards = CARDS.validate_json(response.text or "")
    assert [(card.id, card.title) for card in cards] == [("t0", A), ("t1", B)]
    assert response.candidates is not None
    assert response.candidates[0].finish_reason == types.FinishReason.STOP
    assert response.model_version == MODEL
    assert response.response_id
    assert stand_in.calls["titles"] == {A: 1, B: 1}


async def test_tokens_are_a_quarter_of_the_characters(gemini: genai.Client) -> None:
    response = await ask(gemini, A)
    usage = response.usage_metadata
    assert usage is not None
    assert usage.candidates_token_count == -(-len(response.text or "") // 4)
    told = "Write one card for each topic." + "Topics follow." + json.dumps([{"id": "t0", "title": A}])
    assert usage.prompt_token_count == -(-len(told) // 4)
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count


@pytest.mark.parametrize("dialect", ["response_schema", "response_json_schema"])
async def test_an_article_gets_one_object_in_either_dialect_of_schema(gemini: genai.Client, dialect: str) -> None:
    article = {"urn": "urn:article:oats", "title": "Oats and cholesterol", "abstract": "A trial of 90 adults."}
    schema = Article if dialect == "response_schema" else Article.model_json_schema()
    config = types.GenerateContentConfig.model_validate({"response_mime_type": "application/json", dialect: schema})
    response = await gemini.aio.models.generate_content(model=MODEL, contents=json.dumps(article), config=config)
    keywords = Article.model_validate_json(response.text or "").keywords
    assert all(keyword in f"{article['title']} {article['abstract']}" for keyword in keywords)


async def test_the_beta_routes_answer_too(stand_in: StandIn) -> None:
    options = types.HttpOptions(base_url=stand_in.url, api_version="v1beta")
    async with genai.Client(api_key="some-key", http_options=options).aio as beta:
        assert (await beta.models.get(model=MODEL)).name == f"models/{MODEL}"


async def test_looking_at_a_model_is_free(gemini: genai.Client, stand_in: StandIn) -> None:
    assert (await gemini.aio.models.get(model=MODEL)).name == f"models/{MODEL}"
    assert (stand_in.calls["calls"], stand_in.calls["probes"]) == (0, 1)


async def test_a_refused_key_is_an_invalid_argument_as_with_google(stand_in: StandIn) -> None:
    async with client(stand_in.url, api_key="refused").aio as gemini:
        for asked in (gemini.models.generate_content(model=MODEL, contents="[]"), gemini.models.get(model=MODEL)):
            with pytest.raises(errors.ClientError, match="API key not valid") as caught:
                await asked
            assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
            assert caught.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"


def test_every_response_says_that_it_is_simulated(stand_in: StandIn) -> None:
    paths = ("/live", "/nowhere", "/stand-in/calls", f"/v1/models/{MODEL}", "/v1/models/x:generateContent")
    answers = [stand_in.http.request("POST" if ":" in path else "GET", path) for path in paths]
    assert [answer.status_code for answer in answers] == [200, 404, 200, 403, 403]
    assert all(answer.headers["x-topicflow-simulated"] == "true" for answer in answers)


@pytest.mark.parametrize("body", ["", "[]", "{", "{}", '{"contents": []}', '{"contents": [{"parts": []}]}'])
def test_a_request_it_cannot_read_is_a_400_in_geminis_shape(stand_in: StandIn, body: str) -> None:
    refused = stand_in.post(body)
    assert (refused.status_code, refused.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_data_it_cannot_answer_is_a_400(stand_in: StandIn) -> None:
    def asked(data: str, schema: dict[str, Any]) -> int:
        request = {"contents": [{"parts": [{"text": data}]}], "generationConfig": {"responseJsonSchema": schema}}
        return stand_in.post(json.dumps(request)).status_code

    schema = Article.model_json_schema()
    half_a_pair, far_too_deep = '{"title": "\\ud800"}', "[" * 100_000
    assert asked('{"title": "Oats"}', schema) == 200
    for data in ("Write about oats", "7", "[7]", "[]", half_a_pair, far_too_deep):
        assert asked(data, schema) == 400
    assert asked('{"title": "Oats"}', {}) == 400


async def test_an_array_of_data_needs_an_array_schema(gemini: genai.Client) -> None:
    config = types.GenerateContentConfig(response_json_schema=Article.model_json_schema())
    with pytest.raises(errors.ClientError, match="array schema"):
        await gemini.aio.models.generate_content(model=MODEL, contents="[]", config=config)


@pytest.mark.parametrize("per", ["Minute", "Day"])
async def test_a_quota_says_which_it_is_and_when_to_come_back(
    gemini: genai.Client, stand_in: StandIn, per: str
) -> None:
    stand_in.tell("429", retry_after_seconds=1.5, times=1, of_the_day=per == "Day")
    limited = await refusal(gemini, A)
    assert (limited.code, limited.status) == (429, "RESOURCE_EXHAUSTED")
    failure, retry = limited.details["error"]["details"]
    assert failure["@type"] == "type.googleapis.com/google.rpc.QuotaFailure"
    assert [f"Per{per}PerProject" in violation["quotaId"] for violation in failure["violations"]] == [True]
    assert retry == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}
    assert ids(await ask(gemini, A)) == ["t0"]
    assert stand_in.calls["by_status"] == {"429": 1, "200": 1}


@pytest.mark.parametrize(("mood", "status"), [("500", "INTERNAL"), ("503", "UNAVAILABLE"), ("401", "UNAUTHENTICATED")])
async def test_an_outage_refuses_calls_and_probes(
    gemini: genai.Client, stand_in: StandIn, mood: str, status: str
) -> None:
    stand_in.tell(mood)
    refused = await refusal(gemini, A)
    assert (refused.code, refused.status) == (int(mood), status)
    with pytest.raises(errors.APIError):
        await gemini.aio.models.get(model=MODEL)
    stand_in.http.delete("/stand-in/moods")
    assert ids(await ask(gemini, A)) == ["t0"]


async def test_a_quota_and_a_poisonous_title_do_not_stop_probes(gemini: genai.Client, stand_in: StandIn) -> None:
    stand_in.tell("429")
    stand_in.tell("503", title_contains="shard")
    assert (await gemini.aio.models.get(model=MODEL)).name


async def test_a_mood_with_a_title_meets_only_calls_that_hold_it(gemini: genai.Client, stand_in: StandIn) -> None:
    stand_in.tell("503", title_contains="sharding")
    assert (await refusal(gemini, C, A)).code == 503
    assert ids(await ask(gemini, C, B)) == ["t0", "t1"]


async def test_a_mood_ends_with_its_time(gemini: genai.Client, stand_in: StandIn) -> None:
    stand_in.tell("500", for_seconds=0.3)
    assert (await refusal(gemini, A)).code == 500
    await eventually(lambda: stand_in.http.get("/stand-in/moods").json() == [], within=5)
    assert ids(await ask(gemini, A)) == ["t0"]


async def test_moods_come_in_the_order_they_were_told(gemini: genai.Client, stand_in: StandIn) -> None:
    stand_in.tell("500", times=2)
    stand_in.tell("503", times=1)
    assert [(await refusal(gemini, A)).code for _ in range(3)] == [500, 500, 503]
    assert stand_in.http.get("/stand-in/moods").json() == []


async def test_a_block_has_a_reason_and_no_candidates(gemini: genai.Client, stand_in: StandIn) -> None:
    stand_in.tell("block", title_contains=B)
    blocked = await ask(gemini, A, B)
    assert blocked.prompt_feedback is not None
    assert blocked.prompt_feedback.block_reason == types.BlockedReason.SAFETY
    assert blocked.candidates is None


async def test_max_tokens_comes_without_text(gemini: genai.Client, stand_in: StandIn) -> None:
    stand_in.tell("max_tokens")
    response = await ask(gemini, A)
    assert response.candidates is not None
    assert response.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert response.text is None


async def test_an_empty_answer_has_usage_only(gemini: genai.Client, stand_in: StandIn) -> None:
    stand_in.tell("empty")
    response = await ask(gemini, A)
    assert response.candidates is None
    assert response.usage_metadata is not None
    assert stand_in.calls["titles"] == {}


async def test_bad_json_is_no_json(gemini: genai.Client, stand_in: StandIn) -> None:
    stand_in.tell("bad_json")
    text = (await ask(gemini, A, B)).text or ""
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    assert stand_in.calls["titles"] == {}


async def test_one_bad_and_one_missing_item_leave_their_neighbours_good(
    gemini: genai.Client, stand_in: StandIn
) -> None:
    stand_in.tell("bad_item", title_contains=A, times=1)
    stand_in.tell("missing_item", title_contains=B, times=1)
    bad, good = json.loads((await ask(gemini, A, B, C)).text or "")
    assert (bad["id"], bad["technologies"], bad["difficulty"]) == ("t0", [], 99)
    assert Card.model_validate(good).title == C
    assert stand_in.calls["titles"] == {C: 1}
    assert ids(await ask(gemini, A, B)) == ["t0", "t1"]


async def test_a_hanging_call_ends_unpaid_when_its_caller_gives_up(
    gemini: genai.Client, stand_in: StandIn, impatient: genai.Client
) -> None:
    stand_in.tell("hang", seconds=600, times=1)
    with pytest.raises(httpx2.TimeoutException):
        await ask(impatient, A)
    await eventually(lambda: stand_in.calls["in_flight"] == 0, within=5)
    assert (stand_in.calls["by_status"], stand_in.calls["titles"]) == ({"gone": 1}, {})
    stand_in.tell("hang", seconds=0.01)
    assert ids(await ask(gemini, A)) == ["t0"]
    assert (await gemini.aio.models.get(model=MODEL)).name


async def test_a_reset_connection_is_a_transport_error(gemini: genai.Client, stand_in: StandIn) -> None:
    stand_in.tell("reset", times=2)
    for _ in range(2):
        with pytest.raises(httpx2.TransportError):
            await ask(gemini, A)
    assert ids(await ask(gemini, A)) == ["t0"]
    assert stand_in.calls["by_status"] == {"reset": 2, "200": 1}


async def test_calls_take_their_time_side_by_side(gemini: genai.Client, stand_in: StandIn) -> None:
    stand_in.take(0.4)
    began = time.monotonic()
    await asyncio.gather(*(ask(gemini, A) for _ in range(10)))
    assert 0.4 <= time.monotonic() - began < 3
    calls = stand_in.calls
    assert (calls["calls"], calls["most_in_flight"], calls["in_flight"]) == (10, 10, 0)
    assert stand_in.http.delete("/stand-in/calls").json() == stand_in.calls
    assert stand_in.calls["calls"] == 0


@pytest.mark.parametrize(
    "mood",
    [
        {},
        {"mood": "418"},
        {"mood": "429", "times": 0},
        {"mood": "429", "for_seconds": -1},
        {"mood": "429", "title_contains": ""},
        {"mood": "429", "title": "misspelt"},
        {"mood": "hang", "seconds": "long"},
    ],
)
def test_a_mood_that_makes_no_sense_is_refused(stand_in: StandIn, mood: dict[str, Any]) -> None:
    assert stand_in.http.post("/stand-in/moods", json=mood).status_code == 422
    assert stand_in.http.get("/stand-in/moods").json() == []


def test_a_time_that_is_no_number_is_refused(stand_in: StandIn) -> None:
    for nonsense in ('{"seconds": -1}', '{"seconds": NaN}', "{}", "7", "{"):
        answer = stand_in.http.put("/stand-in/seconds", content=nonsense, headers={"content-type": "application/json"})
        assert answer.status_code == 422


async def test_told_to_stop_it_does_not_wait_for_sleeping_calls() -> None:
    process, url = start(STAND_IN_SECONDS="600")
    surface = StandIn(url)
    async with client(url, seconds=60).aio as gemini:
        config = types.GenerateContentConfig(response_json_schema=Article.model_json_schema())
        asked = asyncio.create_task(gemini.models.generate_content(model=MODEL, contents="{}", config=config))
        await eventually(lambda: surface.calls["in_flight"] == 1, within=5)
        began = time.monotonic()
        assert await asyncio.to_thread(stop, process) == ""
        assert time.monotonic() - began < 3
        with pytest.raises(httpx2.TransportError):
            await asked
    surface.http.close()


@pytest.mark.parametrize("arguments", [("--seconds", "nan"), ("--seconds", "-1"), ("--port", "70000")])
def test_a_setting_that_makes_no_sense_stops_it_at_once(arguments: tuple[str, str]) -> None:
    command = [sys.executable, "-m", "stand_ins.gemini", "--port", "0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
