"""google-genai's clients, one for each key, and requests that cost it little CPU to make."""

from typing import Any, TypeVar

import httpx2
from google import genai
from google.genai import types
from google.genai.models import AsyncModels
from pydantic import BaseModel

from shared.gemini_keys import Key

M = TypeVar("M", bound=BaseModel)


class Clients:
    def __init__(self, base_url: str | None, calls: int, timeout_seconds: float) -> None:
        """`calls`: of one client at a time; more wait, their requests ready to be sent."""
        limits = httpx2.Limits(max_connections=calls, max_keepalive_connections=calls)
        timeout = int(timeout_seconds * 1000)
        self._options = types.HttpOptions(base_url=base_url, timeout=timeout, async_client_args={"limits": limits})
        self._clients: dict[str, genai.Client] = {}

    def of(self, key: Key) -> AsyncModels:
        if key.value not in self._clients:
            self._clients[key.value] = genai.Client(api_key=key.value, http_options=self._options)
        return self._clients[key.value].aio.models

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aio.aclose()


def request(instructions: str, data: str, schema: dict[str, Any]) -> dict[str, Any]:
    """What `generate_content` is told beside the model. The body is as the API wants it: google-genai would make the
    same of a config, and go through all of it several times for that."""
    body = {
        "systemInstruction": {"role": "user", "parts": [{"text": instructions}]},
        "generationConfig": _Fixed(responseMimeType="application/json", responseJsonSchema=schema),
    }
    return {
        "contents": _Content(role="user", parts=[_Part(text=data)]),
        "config": _Config(http_options=types.HttpOptions(extra_body=body)),
    }


class _Fixed(dict[str, Any]):
    """Nobody changes it: the deep copies that google-genai makes for each call are the same one."""

    def __deepcopy__(self, _: object) -> "_Fixed":
        return self


def _quick(model: type[M]) -> type[M]:
    """google-genai looks for each of some fifty fields whether its name is `in` the model, which pydantic answers by
    going through all of its values: a third of what it takes to make a request. Where it is in none, the attribute is
    taken."""
    return type(model.__name__, (model,), {"__module__": __name__, "__contains__": lambda *_: False})


_Config = _quick(types.GenerateContentConfig)
_Content = _quick(types.Content)
_Part = _quick(types.Part)
