"""Connections to the API that a client or a proxy keeps alive."""

import asyncio
from contextlib import closing
from http.client import HTTPConnection

from integration.api import Api
from servers import LOOPBACK

LONGER_THAN_CLIENTS = 6.0  # seconds: httpx and many others use one that was idle for up to 5


async def test_an_idle_connection_is_not_closed_during_the_next_request(api: Api) -> None:
    with closing(HTTPConnection(LOOPBACK, api.deployment.api_port)) as connection:
        connection.connect()
        connection.auto_open = 0  # no new one takes its place
        for pause in (LONGER_THAN_CLIENTS, 0.0):
            connection.request("GET", "/live")
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b'{"status":"ok"}')
            await asyncio.sleep(pause)
