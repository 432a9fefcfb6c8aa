"""HTTP client of the article catalogue, the WiseFood data API. `catalog_schema.py` validates its responses."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import quote

import httpx

from enricher.catalog_schema import FIELDS, CatalogArticle, NotTheCatalog, Reply, article, articles, urns
from enricher.settings import CatalogSettings
from shared.errors import CatalogRefusesUs, CatalogUnavailable, Doubtful, Outage, Refused
from shared.resilience.outage_detection import OutageDetector

PREFIX = "/api/v1"
SIMULATED = "x-topicflow-simulated"  # header that a simulator sends
CONNECTIONS = 50
IDLE_SECONDS = 3.0  # keep-alive of a connection: less than the 5 s after which uvicorn closes it
PROBE_SECONDS = 5.0
MOST_BYTES = 32_000_000  # of an answer
USUAL_LIFE = 60.0  # seconds; lifetime of a token without `expires_in`


class CatalogClient:
    """One per process, created inside the running loop. Calls raise Outage, Transient, Refused.

    Retries only calls whose token was rejected: all other retries are up to `retry.py`.
    """

    def __init__(self, *, url: str, client_id: str, client_secret: str, timeout_seconds: float) -> None:
        self.simulated: bool | None = None  # None until the first response
        self._credentials = {"client_id": client_id, "client_secret": client_secret}
        self._timeout = timeout_seconds
        self._http = httpx.AsyncClient(
            base_url=url + PREFIX,
            timeout=httpx.Timeout(timeout_seconds, pool=None),
            limits=httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=IDLE_SECONDS),
        )
        self._doubts = OutageDetector(self._is_there)
        self._token = ""
        self._good_until = 0.0  # monotonic
        self._login: asyncio.Task[str] | None = None

    @classmethod
    def of(cls, settings: CatalogSettings) -> Self:
        return cls(
            url=settings.catalog_url,
            client_id=settings.client_id,
            client_secret=settings.client_secret.get_secret_value(),
            timeout_seconds=settings.catalog_timeout_seconds,
        )

    async def read(self, urn: str) -> CatalogArticle:
        return article(await self._call("GET", _path(urn), subject=urn), urn)

    async def list_page(self, *, offset: int, limit: int) -> list[str]:
        """URNs, in an order that changes while articles are written."""
        params = {"offset": offset, "limit": limit}
        return urns(await self._call("GET", "/articles", subject=f"the list from {offset}", params=params))

    async def search_page(
        self,
        *,
        offset: int,
        limit: int,
        q: str | None = None,
        fq: Sequence[str] = (),
        fields: Sequence[str] = FIELDS,
        sort: str | None = None,
    ) -> list[CatalogArticle]:
        """`offset + limit` ≤ 10,000. `fq`: filters like `status:active`; `sort`: like `urn asc`."""
        query = {"q": q, "fq": list(fq), "fl": fields, "sort": sort, "offset": offset, "limit": limit}
        return articles(await self._call("POST", "/articles/search", subject=f"a search from {offset}", json=query))

    async def page_after(self, after: str, limit: int, fields: Sequence[str] = FIELDS) -> list[CatalogArticle]:
        """Articles in URN order, starting after `after` ("" for the first page), without deleted ones. Not limited by
        the search window, and not shifted by writes."""
        quoted = after.replace("\\", "\\\\").replace('"', '\\"')
        behind = [f'urn:{{"{quoted}" TO *]'] if after else []
        fq = [*behind, "NOT status:deleted"]
        return await self.search_page(offset=0, limit=limit, fq=fq, fields=fields, sort="urn asc")

    async def patch(self, urn: str, extras: Mapping[str, Any]) -> None:
        """Merge into the article's extras; null is written as null."""
        await self._call("PATCH", _path(urn), subject=urn, json={"extras": extras})

    async def enhance(self, urn: str, agent: str, fields: Mapping[str, Any]) -> None:
        """`agent`: a slug; `fields`: ai_tags, ai_category, ai_key_takeaways, nothing else."""
        await self._call("PATCH", f"{_path(urn)}/enhance", subject=urn, json={"agent": agent, "fields": fields})

    async def close(self) -> None:
        if self._login:
            self._login.cancel()
        await self._http.aclose()

    async def _call(self, method: str, path: str, *, subject: str, **sent: Any) -> Any:
        """`subject`: the article or page of the call. Raises Transient only if the failure is specific to it."""
        began = time.monotonic()
        try:
            result = await self._request(method, path, **sent)
        except NotTheCatalog as error:
            if not await self._is_there():
                raise CatalogUnavailable(str(error)) from error
            raise
        except Doubtful as error:
            if await self._doubts.is_outage(subject, began):
                raise CatalogUnavailable(str(error)) from error
            raise
        except Refused:
            self._doubts.answered()
            raise
        self._doubts.answered()
        return result

    async def _is_there(self) -> bool:
        """Probe: requests a list of one URN."""
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._request("GET", "/articles", params={"limit": 1})
        except Refused:
            return True
        except (Outage, Doubtful, TimeoutError):
            return False
        return True

    async def _request(self, method: str, path: str, **sent: Any) -> Any:
        token = await self._good_token()
        reply = await self._send(method, path, token, **sent)
        if reply.status == 401:
            token = await self._good_token(refused=token)
            reply = await self._send(method, path, token, **sent)
        return reply.result(self._secrets)

    @property
    def _secrets(self) -> tuple[str, str]:
        return self._credentials["client_secret"], self._token

    async def _good_token(self, refused: str = "") -> str:
        """A valid token; concurrent callers share one login. Raises Outage."""
        if self._token not in {"", refused} and time.monotonic() < self._good_until:
            return self._token
        if self._login is None or self._login.done():
            self._login = asyncio.create_task(self._log_in())
            self._login.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._login)

    async def _log_in(self) -> str:
        began = time.monotonic()
        try:
            reply = await self._send("POST", "/system/mtm", json=self._credentials)
            if reply.status in {400, 401, 403, 422}:
                names = "KEYCLOAK_CLIENT_ID and KEYCLOAK_CLIENT_SECRET"
                raise CatalogRefusesUs(f"the catalogue rejected {names} ({reply.status})")
            given = reply.result(self._secrets)
        except (Doubtful, Refused) as error:
            raise CatalogUnavailable(f"login to the catalogue failed: {error}") from error
        token = given.get("access_token") if isinstance(given, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise CatalogUnavailable("login to the catalogue failed: no valid token in its response")
        life = given.get("expires_in")
        seconds = float(life) if isinstance(life, int | float) and life > 0 else USUAL_LIFE
        self._token, self._good_until = token, began + seconds - min(60.0, seconds / 10)
        return token

    async def _send(self, method: str, path: str, token: str = "", **sent: Any) -> Reply:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with self._http.stream(method, path, headers=headers, **sent) as response:
                body = await self._body(response)
        except (httpx.TimeoutException, TimeoutError) as error:
            raise Doubtful("timeout", f"the catalogue did not answer within {self._timeout:g} s") from error
        except httpx.ConnectError as error:
            raise CatalogUnavailable(f"the catalogue cannot be reached: {error}") from error
        except httpx.RequestError as error:
            lost = f"the connection to the catalogue was lost: {type(error).__name__}"
            raise Doubtful("connection_lost", lost) from error
        self.simulated = SIMULATED in response.headers
        return Reply.of(response.status_code, body, response.headers.get("retry-after", ""))

    async def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async with asyncio.timeout(self._timeout):
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise Refused("answer_too_large", f"the catalogue's response is larger than {MOST_BYTES:,} bytes")
        return bytes(body)


def _path(urn: str) -> str:
    return f"/articles/{quote(urn, safe=':')}"
