"""google-genai clients, one per API key, and requests that take it little CPU to build."""

import os
import ssl
from typing import Any, TypeVar

import httpx2
from google import genai
from google.genai import types
from google.genai.client import DebugConfig
from google.genai.models import AsyncModels
from pydantic import BaseModel

from shared.errors import SettingInvalid
from shared.llm.endpoint import Endpoint
from shared.llm.gemini_keys import Key

Model = TypeVar("Model", bound=BaseModel)


class Clients:
    """google-genai reads a dozen environment variables, which may be meant for other programs: every option that it
    would look up there is passed explicitly."""

    def __init__(self, endpoint: Endpoint, calls: int, timeout_seconds: float) -> None:
        """`calls`: concurrent calls, of all keys together."""
        limits = httpx2.Limits(max_connections=calls, max_keepalive_connections=calls)
        tls = _tls(endpoint.base_url)
        self._http = httpx2.AsyncClient(limits=limits, verify=tls, timeout=None, follow_redirects=True)
        self._options = types.HttpOptions(
            base_url=endpoint.base_url,
            api_version=endpoint.version,
            timeout=int(timeout_seconds * 1000),
            httpx_async_client=self._http,
            client_args={"verify": tls},
            async_client_args={"ssl": tls},
        )
        self._clients: dict[str, genai.Client] = {}

    def of(self, key: Key) -> AsyncModels:
        if key.value not in self._clients:
            self._clients[key.value] = _client(key, self._options)
        return self._clients[key.value].aio.models

    async def close(self) -> None:
        for client in self._clients.values():
            client.close()
        await self._http.aclose()


def _client(key: Key, options: types.HttpOptions) -> genai.Client:
    os.environ.pop("GOOGLE_GENAI_HTTP_CLIENT", None)  # the only variable that no option overrides
    return genai.Client(
        vertexai=False,
        api_key=key.value,
        http_options=options,
        debug_config=DebugConfig(client_mode=None, replays_directory=None, replay_id=None),
    )


def _tls(base_url: str) -> ssl.SSLContext:
    """Uses the certificates that SSL_CERT_FILE or SSL_CERT_DIR names, unless the URL is plain HTTP.

    Raises SettingInvalid.
    """
    try:
        return httpx2.create_ssl_context(trust_env=base_url.startswith("https://"))
    except OSError as error:
        name = next(name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name))
        raise SettingInvalid(f"{name}: no certificates in {os.environ[name]}: {error}") from error


def request(instructions: str, data: str, schema: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `generate_content` besides the model. The body is in the API's format: google-genai would build the
    same from a config, but traverse all of it several times."""
    body = {
        "systemInstruction": {"role": "user", "parts": [{"text": instructions}]},
        "generationConfig": _Immutable(responseMimeType="application/json", responseJsonSchema=schema, **config),
    }
    return {
        "contents": _Content(role="user", parts=[_Part(text=data)]),
        "config": _Config(http_options=types.HttpOptions(extra_body=body)),
    }


class _Immutable(dict[str, Any]):
    """Never modified, so the deep copies that google-genai makes for each call return the original."""

    def __deepcopy__(self, _: object) -> "_Immutable":
        return self


def _without_contains(model: type[Model]) -> type[Model]:
    """google-genai tests for each of some fifty fields whether its name is `in` the model, which pydantic answers by
    iterating over all values: a third of the time to build a request. If the test is false, it reads the attribute."""
    return type(model.__name__, (model,), {"__module__": __name__, "__contains__": lambda *_: False})


_Config = _without_contains(types.GenerateContentConfig)
_Content = _without_contains(types.Content)
_Part = _without_contains(types.Part)
