"""Access: keys, scopes and limits of an API that listens beyond loopback, and of one that does not."""

import asyncio
from collections.abc import Iterator
from itertools import count

import httpx
import pytest
from eventually import eventually
from fastapi.routing import iter_route_contexts
from integration.api import Api, problem
from integration.databases import locked, rows
from integration.keyed import Keyed, bearer
from servers import Stacks

from api.access.callers import MOST_BODY_BYTES
from api.access.scopes import require_scope
from api.app import build

NAMES = (f"key-{n}" for n in count())
TOPICS = {"json": {"topics": ["Anything"]}}


@pytest.fixture(scope="module")
def keyed(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    folder = tmp_path_factory.mktemp("keyed")
    with stacks.shared(folder) as stack:
        keyed = Keyed(stack, folder)
        yield keyed
        keyed.end()
    assert not [secret for secret in keyed.secrets if secret in keyed.output]
    assert "Traceback" not in keyed.output


@pytest.fixture
def api(beyond: Api) -> Api:
    return beyond


# -- keys ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/topics"),
        ("POST", "/api/v1/topics"),
        ("GET", "/api/v1/nothing"),
        ("GET", "/health"),
        ("GET", "/live/"),
        ("POST", "/"),
    ],
)
async def test_beyond_loopback_every_request_needs_a_key(api: Api, method: str, path: str) -> None:
    for headers in ({}, {"Host": f"127.0.0.1:{api.deployment.api_port}"}):
        refused = await api.http.request(method, path, headers=headers)
        assert "an API key is required" in problem(refused, 401)["detail"]
        assert refused.headers["www-authenticate"] == "Bearer"


async def test_probes_need_no_key_and_a_wrong_one_does_not_disturb_them(api: Api, local: Api) -> None:
    for path in ("/live", "/ready"):
        assert (await api.http.get(path)).status_code == 200
        assert (await api.http.get(path, **bearer("tf_0_wrong"))).status_code == 200
        assert (await local.http.get(path, **bearer("tf_0_wrong"))).status_code == 200


async def test_only_the_exact_key_is_accepted(api: Api, local: Api, keyed: Keyed) -> None:
    _, id_, secret = keyed.reader.split("_", 2)
    wrong = [
        f"Basic {keyed.reader}",
        keyed.reader,
        "Bearer",
        "",
        f"Bearer tf_{id_}",
        f"Bearer tf_{id_}_",
        f"Bearer tf_{id_}_{secret[:-1]}",
        f"Bearer tf_{id_}_{secret}x",
        f"Bearer tf_0000000000000000_{secret}",
        f"Bearer xx_{id_}_{secret}",
        f"Bearer {keyed.submitter.rpartition('_')[0]}_{secret}",
        "Bearer tf_ü_ü".encode("latin-1"),
    ]
    for each in (api, local):
        for authorization in wrong:
            refused = await each.ask("GET", "/topics", headers={"Authorization": authorization})
            assert "unknown or revoked" in problem(refused, 401)["detail"]
            assert refused.headers["www-authenticate"] == "Bearer"
        for scheme in ("Bearer", "bearer"):
            headers = {"Authorization": f"{scheme} {keyed.reader}"}
            assert (await each.ask("GET", "/topics", headers=headers)).status_code == 200


async def test_on_loopback_no_key_is_needed_and_with_one_any_host_name_is_allowed(local: Api, keyed: Keyed) -> None:
    assert (await local.ask("GET", "/topics")).status_code == 200
    foreign = {"Host": "topicflow.example", "Origin": "https://elsewhere.example"}
    problem(await local.ask("GET", "/topics", headers=foreign), 403)
    assert (await local.ask("GET", "/topics", **bearer(keyed.reader, **foreign))).status_code == 200


async def test_a_new_key_works_at_once_and_a_revoked_one_stops_within_five_seconds(api: Api, keyed: Keyed) -> None:
    name = next(NAMES)
    key = await keyed.create(name, "read")
    assert (await api.ask("GET", "/topics", **bearer(key))).status_code == 200
    await keyed.revoke(name)

    async def is_refused() -> bool:
        return (await api.ask("GET", "/topics", **bearer(key))).status_code == 401

    await eventually(is_refused, within=5)
    assert await keyed.create(name, "read") != key  # the name is free again
    assert await is_refused()


async def test_many_unknown_keys_at_once_are_all_refused_and_a_known_one_is_not(api: Api, keyed: Keyed) -> None:
    unknown = [bearer(f"tf_{n:016x}_secret") for n in range(50)]
    requests = [api.ask("GET", "/topics", **headers) for headers in (*unknown, bearer(keyed.reader))]
    *refused, answer = await asyncio.gather(*requests)
    assert {answer.status_code for answer in refused} == {401}
    assert answer.status_code == 200


async def test_while_keys_cannot_be_looked_up_unknown_ones_get_503_and_known_ones_work(api: Api, keyed: Keyed) -> None:
    await api.ask("GET", "/topics", **bearer("tf_0_unknown"))  # now all valid keys are cached
    with locked(keyed.open.database_url, "access"):
        unknown = asyncio.create_task(api.ask("GET", "/topics", **bearer("tf_0_unknown")))
        assert (await api.ask("GET", "/topics", **bearer(keyed.reader))).status_code == 200
        assert not unknown.done()
        refused = await unknown
    assert "the database does not answer" in problem(refused, 503)["detail"]
    assert refused.headers["retry-after"]


# -- scopes --------------------------------------------------------------------------------------------------------


def test_every_route_requires_one_scope_and_every_get_requires_read() -> None:
    scheme = require_scope("read").dependency
    scopes_of_route = {}
    for route in iter_route_contexts(build().routes):
        if route.path and route.path.startswith("/api/v1"):
            needed = [
                scope
                for dependency in route.dependant.dependencies
                if dependency.call is scheme
                for scope in dependency.own_oauth_scopes or []
            ]
            for method in route.methods or {"?"}:
                scopes_of_route[method, route.path] = needed
    assert ("POST", "/api/v1/topics") in scopes_of_route
    assert {route: scopes for route, scopes in scopes_of_route.items() if len(scopes) != 1} == {}
    assert {route for route, scopes in scopes_of_route.items() if (route[0] == "GET") != (scopes == ["read"])} == set()


async def test_each_scope_allows_its_own_routes_and_no_other(api: Api, keyed: Keyed) -> None:
    keys = {"read": keyed.reader, "submit": keyed.submitter, "operate": keyed.operator}
    routes = [
        ("read", "GET", "/api/v1/topics"),
        ("read", "GET", "/api/v1/topics/none"),
        ("read", "GET", "/api/v1/processing-status"),
        ("read", "GET", "/api/v1/worker-status"),
        ("read", "GET", "/api/v1/topic-status-summary"),
        ("read", "GET", "/health"),
        ("submit", "POST", "/api/v1/topics"),
        ("submit", "POST", "/api/v1/topics/none/retry"),
        ("submit", "POST", "/api/v1/processing-status/seen"),
    ]
    for needed, method, path in routes:
        for scope, key in keys.items():
            answer = await api.http.request(method, path, **bearer(key))
            if scope == needed:
                assert answer.status_code in {200, 404, 422}, (path, answer.text)  # any answer behind the scope check
            else:
                assert problem(answer, 403)["detail"] == f"this API key lacks the scope {needed}; it has {scope}"


async def test_a_submission_records_the_name_of_the_key_or_local(api: Api, local: Api, keyed: Keyed) -> None:
    title = {"topics": ["Submitted by"]}
    [topic] = (await api.ask("POST", "/topics", json=title, **bearer(keyed.submitter))).json()["topics"]
    query = f"SELECT attempt, submitted_by FROM submissions WHERE id = '{topic['id']}'"
    await eventually(lambda: rows(keyed.open.database_url, query) == [(1, "submitter")], within=10)
    await local.ask("POST", f"/topics/{topic['id']}/retry", json={"force": True})
    await eventually(lambda: rows(keyed.open.database_url, query) == [(2, "local")], within=10)
    await api.ask("POST", f"/topics/{topic['id']}/retry", json={"force": True}, **bearer(keyed.submitter))
    await eventually(lambda: rows(keyed.open.database_url, query) == [(3, "submitter")], within=10)


# -- limits --------------------------------------------------------------------------------------------------------


async def test_a_key_over_its_rate_limit_gets_retry_after_and_other_keys_are_not_limited(
    api: Api, keyed: Keyed
) -> None:
    key = await keyed.create(next(NAMES), "read", requests_per_second=1)
    answers = await asyncio.gather(*(api.ask("GET", "/topics", **bearer(key)) for _ in range(20)))
    taken = [answer for answer in answers if answer.status_code == 200]
    assert 2 <= len(taken) <= 4  # a burst of two seconds', and one more for each second that it took
    for refused in answers:
        if refused not in taken:
            assert "1 requests per second" in problem(refused, 429)["detail"]
            assert refused.headers["retry-after"] == "1"
    assert (await api.ask("GET", "/topics", **bearer(keyed.reader))).status_code == 200

    async def is_taken() -> bool:
        return (await api.ask("GET", "/topics", **bearer(key))).status_code == 200

    await eventually(is_taken, within=3)


async def test_without_a_key_loopback_is_not_limited(local: Api) -> None:
    answers = await asyncio.gather(*(local.http.get("/api/v1/topic-status-summary") for _ in range(300)))
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize(
    ("limit", "most"),
    [(None, 2 * 1024**2), (1000, 1000), (3 * 1024**2, 3 * 1024**2), (64 * 1024**2, MOST_BODY_BYTES)],
)
async def test_the_largest_body_is_the_limit_of_the_key_or_that_of_the_api(
    api: Api, keyed: Keyed, limit: int | None, most: int
) -> None:
    limits = {} if limit is None else {"body_bytes": limit}
    key = await keyed.create(next(NAMES), "submit", **limits)

    async def send(size: int) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        return await api.ask("POST", "/topics", content=b" " * size, **bearer(key, **headers))

    problem(await send(most), 422)
    assert "the body is larger than" in problem(await send(most + 1), 413)["detail"]
