"""A google-genai client of the simulator of Gemini, with the requests that tests make most often."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel, Field, TypeAdapter

MODEL = "gemini-3.5-flash-lite"
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


def client(url: str, api_key: str = "some-key", seconds: float = 5) -> genai.Client:
    options = types.HttpOptions(base_url=url, timeout=int(seconds * 1000))
    return genai.Client(api_key=api_key, http_options=options)


@asynccontextmanager
async def connected(url: str, seconds: float = 5) -> AsyncIterator[genai.Client]:
    """A client that is closed at the end. `seconds`: its timeout."""
    gemini = client(url, seconds=seconds)
    yield gemini
    await gemini.aio.aclose()
    gemini.close()


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
