"""`Idempotency-Key`: a repeated request, at once or after a crash, runs once and gets the same answer."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from eventually import eventually
from integration.api import Api, Json, problem
from integration.databases import locked, rows
from integration.keyed import bearer
from servers import Deployment
from sqlalchemy import Connection, select, update

from api.access.api_keys import ApiKeys
from api.access.idempotency_store import IdempotencyStore, IdempotentRequest, StoredResponse
from api.errors import Conflict
from shared.db.engine import Database, open_access
from shared.db.migrate import migrate
from shared.db.tables import idempotency_keys
from shared.ids import topic_id

ANSWER = StoredResponse(202, [("content-type", "application/json")], b'{"text": "\xc3\xbc"}')


def idempotency_key(key: str | None = None, **more: str) -> dict[str, str]:
    return {"Idempotency-Key": key or str(uuid4())} | more


async def forced(api: Api, title: str, headers: dict[str, str]) -> httpx.Response:
    """Without a key each of these would be one more attempt."""
    return await api.ask("POST", "/topics", json={"topics": [title], "force": True}, headers=headers)


async def completed(api: Api, title: str) -> Json:
    [topic] = (await api.submit(title))["topics"]
    [ended] = await api.ended(topic["id"])
    return ended


async def at_rest(api: Api, id_: str) -> int:
    """The attempt of the topic, once it has ended."""
    return int((await api.ended(id_))[0]["attempt"])


async def test_a_repeated_request_gets_the_same_bytes_and_does_nothing(api: Api) -> None:
    topic = await completed(api, "Sent again")
    once = idempotency_key()
    first = await forced(api, "Sent again", once)
    assert (first.status_code, first.json()["saved_topics"]) == (202, 1)
    assert "idempotency-replayed" not in first.headers

    async def is_done() -> bool:
        return await at_rest(api, topic["id"]) == 2

    await eventually(is_done, within=20)
    again = await forced(api, "Sent again", once)
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert await at_rest(api, topic["id"]) == 2
    other = await forced(api, "Sent again", idempotency_key())
    assert "idempotency-replayed" not in other.headers


async def test_twenty_concurrent_repeats_are_one_attempt(api: Api) -> None:
    topic = await completed(api, "Raced for")
    once = idempotency_key()
    answers = await asyncio.gather(*(forced(api, "Raced for", once) for _ in range(20)))
    taken = [answer for answer in answers if answer.status_code == 202]
    assert len({answer.content for answer in taken}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in taken) == 1
    for answer in answers:
        if answer not in taken:
            assert "in progress" in problem(answer, 409)["detail"]
            assert answer.headers["retry-after"] == "1"

    async def is_one() -> bool:
        return await at_rest(api, topic["id"]) == 2

    await eventually(is_one, within=20)
    assert (await forced(api, "Raced for", once)).content == taken[0].content
    assert await at_rest(api, topic["id"]) == 2


async def test_a_key_is_valid_for_one_request_only(api: Api) -> None:
    once = idempotency_key()
    assert (await forced(api, "One request", once)).status_code == 202
    for path, body in (
        ("/topics", {"topics": ["One request"]}),
        ("/topics?x=1", {"topics": ["One request"], "force": True}),
        ("/processing-status/seen", {"topics": ["One request"], "force": True}),
    ):
        refused = await api.ask("POST", path, json=body, headers=once)
        assert "used for a different request" in problem(refused, 422)["detail"]


async def test_refused_requests_are_not_stored(api: Api) -> None:
    once = idempotency_key()
    problem(await api.ask("POST", "/topics", json={"topics": []}, headers=once), 422)
    problem(await api.ask("POST", "/topics/nothing/retry", headers=once), 404)
    problem(await api.ask("POST", "/topics", content=b" " * (2 * 1024**2 + 1), headers=once), 413)
    taken = await forced(api, "Refused before", once)
    assert (taken.status_code, "idempotency-replayed" in taken.headers) == (202, False)


@pytest.mark.parametrize("key", [b"", b"x" * 256, "ü".encode(), "ü".encode("latin-1"), b"a\tb"], ids=repr)
async def test_an_invalid_key_is_refused(api: Api, key: bytes) -> None:
    refused = await api.ask("POST", "/topics", json={"topics": ["Not taken"]}, headers={b"Idempotency-Key": key})
    assert problem(refused, 422)["detail"].startswith("Idempotency-Key: ")
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    problem(await api.ask("POST", "/topics", json={"topics": ["Not taken"]}, headers=twice), 422)
    problem(await api.ask("GET", f"/topics/{topic_id('Not taken')}"), 404)


async def test_every_printable_key_up_to_255_characters_is_valid_and_reads_ignore_it(api: Api) -> None:
    key = "".join(chr(c) for c in range(0x21, 0x7F)).ljust(255, "~")
    assert (await api.ask("POST", "/processing-status/seen", headers=idempotency_key(key))).status_code == 200
    again = await api.ask("POST", "/processing-status/seen", headers=idempotency_key(key))
    assert again.headers["idempotency-replayed"] == "true"
    for _ in range(2):
        read = await api.ask("GET", "/topics", headers=idempotency_key("x" * 300))
        assert (read.status_code, "idempotency-replayed" in read.headers) == (200, False)


async def test_callers_do_not_share_their_keys(api: Api) -> None:
    database = open_access(api.deployment.database_url)
    _, key = await ApiKeys(database).create("another caller", ["submit"])
    await database.close()
    once = idempotency_key()
    assert (await forced(api, "Mine", once)).status_code == 202
    other = await forced(api, "Theirs", once | bearer(key)["headers"])
    assert (other.status_code, "idempotency-replayed" in other.headers) == (202, False)
    assert (await forced(api, "Mine", once)).headers["idempotency-replayed"] == "true"


async def test_replicas_replay_each_others_answers(api: Api) -> None:
    other = Deployment(api.deployment.folder, api.deployment.stack, api.deployment.gemini)
    process = other.add("api", "api-2")
    try:
        once = idempotency_key()
        first = await forced(api, "Sent here", once)
        async with other.client() as client:
            replica = Api(other, client)
            await replica.answers()
            again = await forced(replica, "Sent here", once)
        assert (again.status_code, again.content) == (202, first.content)
        assert again.headers["idempotency-replayed"] == "true"
    finally:
        process.end()


async def test_while_the_database_is_locked_nothing_runs(api: Api) -> None:
    with locked(api.deployment.database_url, "access"):
        problem(await forced(api, "Not run", idempotency_key()), 503)
    problem(await api.ask("GET", f"/topics/{topic_id('Not run')}"), 404)


@pytest.mark.slow
@pytest.mark.breaks_the_broker
async def test_a_request_whose_replica_was_killed_runs_again_once_its_claim_expired(running: Deployment) -> None:
    once = idempotency_key()
    async with running.client() as client:
        api = Api(running, client)
        topic = await completed(api, "Killed")
        running.stack.broker.freeze()
        request = asyncio.create_task(forced(api, "Killed", once))
        claims = "SELECT status FROM idempotency_keys"
        await eventually(lambda: rows(running.database_url, claims, "access") == [(None,)], within=5)
        running.services["api-1"].kill()
        with pytest.raises(httpx.TransportError):
            await request
        running.stack.broker.thaw()
        running.services["api-1"].start()
        await api.ready()
        refused = await forced(api, "Killed", once)
        problem(refused, 409)
        assert refused.headers["retry-after"] == "1"
        database = open_access(running.database_url)
        await _age(database, timedelta(seconds=61))
        await database.close()
        taken = await forced(api, "Killed", once)
        assert (taken.status_code, "idempotency-replayed" in taken.headers) == (202, False)
        assert (await forced(api, "Killed", once)).content == taken.content
        await api.ended(topic["id"])


# -- claims --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = open_access(database_url)
    await migrate(database, "access")
    yield database
    await database.close()


async def test_a_replica_whose_claim_was_taken_over_changes_nothing(database: Database) -> None:
    once = IdempotentRequest("local", "key", "print")
    frozen, other = IdempotencyStore(database), IdempotencyStore(database, lease=timedelta(0))
    lost = await frozen.claim(once)
    assert isinstance(lost, str)
    with pytest.raises(Conflict):
        await frozen.claim(once)
    claim = await other.claim(once)
    assert isinstance(claim, str)
    await frozen.release(once, lost)
    await frozen.store(once, lost, StoredResponse(200, [], b"late"))
    await other.store(once, claim, ANSWER)
    await frozen.store(once, lost, StoredResponse(200, [], b"later still"))
    assert await frozen.claim(once) == await other.claim(once) == ANSWER


async def test_an_answer_is_kept_for_a_day(database: Database) -> None:
    answers = IdempotencyStore(database)
    for key in ("old", "older"):
        claim = await answers.claim(IdempotentRequest("local", key, "print"))
        assert isinstance(claim, str)
        await answers.store(IdempotentRequest("local", key, "print"), claim, ANSWER)
    await _age(database, timedelta(hours=23))
    assert await answers.claim(IdempotentRequest("local", "old", "print")) == ANSWER
    await _age(database, timedelta(hours=2))
    assert isinstance(await answers.claim(IdempotentRequest("local", "old", "print")), str)
    left = await database.run(lambda connection: connection.scalars(select(idempotency_keys.c.key)).all())
    assert left == ["old"]


async def _age(database: Database, by: timedelta) -> None:
    """Makes every claim older by this time."""
    keys = idempotency_keys.c

    def age(connection: Connection) -> None:
        for key, claimed_at in connection.execute(select(keys.key, keys.claimed_at)).all():
            connection.execute(update(idempotency_keys).where(keys.key == key).values(claimed_at=claimed_at - by))

    await database.run(age)
