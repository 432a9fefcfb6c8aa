"""Client of topicflow's own API."""

from collections.abc import Mapping
from typing import Any

import httpx

from shared.errors import ApiUnavailable, Refused
from shared.resilience.retry_after import retry_after_seconds

TIMEOUT = 30.0  # seconds


class SubmissionsApi:
    def __init__(self, url: str, key: str | None) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.AsyncClient(base_url=url.rstrip("/"), headers=headers, timeout=TIMEOUT)

    async def submit(self, input_hashes: Mapping[str, str]) -> int:
        """Submit up to 200 articles, given by URN; returns how many were accepted. Raises ApiUnavailable, Refused."""
        return await self._submit({"urns": list(input_hashes), "input_hashes": dict(input_hashes)})

    async def submit_again(self, urn: str) -> None:
        """Submit an article regardless of its state. Raises ApiUnavailable, Refused."""
        await self._submit({"urns": [urn], "force": True})

    async def _submit(self, body: Mapping[str, Any]) -> int:
        try:
            answer = await self._http.post("/api/v1/articles", json=body)
        except httpx.HTTPError as error:
            raise ApiUnavailable(f"the API does not answer: {type(error).__name__}") from error
        if answer.status_code in {401, 403, 429} or answer.status_code >= 500:
            message = f"the API answered {answer.status_code} to a request of the enricher"
            raise ApiUnavailable(message, retry_after_seconds(answer.headers.get("retry-after")))
        if not answer.is_success:
            raise Refused(f"api_{answer.status_code}", f"the API rejected the articles: {answer.text[:300]}")
        return int(answer.json()["accepted"])

    async def close(self) -> None:
        await self._http.aclose()
