"""An API that needs keys, and the keys that tests send to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from integration.api import Api
from servers import Deployment, GeminiSimulator, Stack

from api.access.api_keys import ApiKey, ApiKeys
from shared.db.engine import open_access
from shared.db.migrate import migrate
from shared.streams import PROJECTOR


class Keyed:
    """Listens on every address; a second replica, in front of the same database, on loopback only."""

    def __init__(self, stack: Stack, folder: Path, **settings: str) -> None:
        self.open = Deployment(folder, stack, GeminiSimulator(folder))
        self.local = Deployment(folder, stack, self.open.gemini)
        self.secrets: list[str] = []
        self.reader = asyncio.run(self.create("reader", "read"))
        self.submitter = asyncio.run(self.create("submitter", "submit"))
        self.operator = asyncio.run(self.create("operator", "operate"))
        self.open.add("api", "open", TOPICFLOW_HOST="0.0.0.0", **settings)
        self.local.add("api", "local", **settings)
        self.open.add(PROJECTOR)

    async def create(self, name: str, *scopes: str, **limits: int) -> str:
        """The key as its holder sends it."""
        database = open_access(self.open.database_url)
        await migrate(database, "access")
        _, key = await ApiKeys(database).create(name, scopes, **limits)
        await database.close()
        self.secrets.append(key.split("_", 2)[2])
        return key

    async def revoke(self, name: str) -> ApiKey:
        database = open_access(self.open.database_url)
        revoked = await ApiKeys(database).revoke(name)
        await database.close()
        return revoked

    @asynccontextmanager
    async def called_from_elsewhere(self) -> AsyncIterator[Api]:
        """The API that requires keys, called from another host."""
        async with elsewhere(self.open) as client:
            yield await Api(self.open, client).up()

    @asynccontextmanager
    async def called_locally(self) -> AsyncIterator[Api]:
        async with self.local.client() as client:
            api = Api(self.local, client)
            await api.answers()
            yield api

    @property
    def output(self) -> str:
        return self.open.services["open"].output + self.local.services["local"].output

    def end(self) -> None:
        self.local.end()
        self.open.end()


def bearer(key: str, **more: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {key}"} | more}


def elsewhere(deployment: Deployment) -> httpx.AsyncClient:
    """A client with a Host header that is not loopback."""
    client = deployment.client()
    client.headers["Host"] = "topicflow.example"
    return client
