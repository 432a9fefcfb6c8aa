"""Pages on other origins: the allowed ones may use the API, all others may not."""

from collections.abc import Iterator

import httpx
import pytest
from integration.api import Api
from integration.keyed import Keyed, bearer
from servers import Stacks

OURS, THEIRS = "http://localhost:3000", "https://evil.example"
TOPICS = {"topics": ["From a page"]}
SENT = "authorization, content-type, idempotency-key, last-event-id"


@pytest.fixture(scope="module")
def keyed(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    folder = tmp_path_factory.mktemp("origins")
    with stacks.shared(folder) as stack:
        keyed = Keyed(stack, folder, TOPICFLOW_ALLOWED_ORIGINS=f"{OURS}/, https://app.example")
        yield keyed
        keyed.end()


@pytest.fixture
def api(beyond: Api) -> Api:
    return beyond


def readable_by(answer: httpx.Response) -> str | None:
    origin: str | None = answer.headers.get("access-control-allow-origin")
    return origin


async def preflight(api: Api, origin: str, method: str = "POST") -> httpx.Response:
    request = {"access-control-request-method": method, "access-control-request-headers": SENT}
    return await api.ask("OPTIONS", "/topics", headers={"origin": origin, **request})


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_preflight_needs_no_key_and_tells_what_may_be_sent(api: Api, local: Api, method: str) -> None:
    for one in (api, local):
        answer = await preflight(one, OURS, method)
        assert (answer.status_code, readable_by(answer)) == (200, OURS)
        assert method in answer.headers["access-control-allow-methods"]
        assert set(SENT.split(", ")) <= set(answer.headers["access-control-allow-headers"].lower().split(", "))
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_preflight_of_another_origin_is_refused(api: Api, local: Api) -> None:
    for one in (api, local):
        answer = await preflight(one, THEIRS)
        assert (answer.status_code, readable_by(answer)) == (400, None)


async def test_an_allowed_page_submits_and_reads_without_a_key_on_loopback(local: Api) -> None:
    headers = {"origin": OURS}
    submitted = await local.ask("POST", "/topics", json=TOPICS, headers=headers)
    assert (submitted.status_code, readable_by(submitted)) == (202, OURS)
    missing = await local.ask("GET", "/topics/nothing", headers=headers)
    assert (missing.status_code, readable_by(missing)) == (404, OURS)
    assert "X-Request-ID" in missing.headers["access-control-expose-headers"]


async def test_no_other_page_does(local: Api) -> None:
    for origin in (THEIRS, "null", OURS.replace("3000", "3001")):
        answer = await local.ask("POST", "/topics", json={"topics": ["From elsewhere"]}, headers={"origin": origin})
        assert (answer.status_code, readable_by(answer)) == (403, None)
        assert f"pages of {origin!r} may not use this API: see TOPICFLOW_ALLOWED_ORIGINS" in answer.text


async def test_a_dns_name_of_this_machine_is_refused_even_for_an_allowed_page(local: Api) -> None:
    answer = await local.ask("GET", "/topics", headers={"origin": OURS, "host": "evil.example"})
    assert answer.status_code == 403


async def test_with_keys_an_allowed_page_reads_answers_and_refusals(api: Api, keyed: Keyed) -> None:
    answer = await api.ask("POST", "/topics", json=TOPICS, **bearer(keyed.submitter, origin=OURS))
    assert (answer.status_code, readable_by(answer)) == (202, OURS)
    for refused, status in ((bearer("tf_x", origin=OURS), 401), (bearer(keyed.reader, origin=OURS), 403)):
        answer = await api.ask("POST", "/topics", json=TOPICS, **refused)
        assert (answer.status_code, readable_by(answer)) == (status, OURS)
    answer = await api.ask("GET", "/topics", **bearer(keyed.reader, origin=THEIRS))
    assert (answer.status_code, readable_by(answer)) == (200, None)  # which a browser withholds from the page
