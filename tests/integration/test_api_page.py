"""GET / and /assets/…: for everybody who may reach the API at all, without data, and safe to keep in a cache."""

import re
from collections.abc import Iterator

import pytest
from integration.api import Api, problem
from integration.keyed import Keyed, bearer
from servers import Stacks

ASSET = re.compile(r'(?:src|href)="(assets/[^"]+)"')
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
}


@pytest.fixture(scope="module")
def keyed(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    folder = tmp_path_factory.mktemp("page")
    with stacks.shared(folder) as stack:
        keyed = Keyed(stack, folder, TOPICFLOW_ALLOWED_ORIGINS="http://localhost:3000")
        yield keyed
        keyed.end()


@pytest.fixture
def api(beyond: Api) -> Api:
    return beyond


async def _assets(api: Api) -> list[str]:
    return [f"/{path}" for path in ASSET.findall((await api.http.get("/")).text)]


async def test_the_page_and_all_that_it_names_need_no_key(api: Api, local: Api) -> None:
    for one in (api, local):
        document = await one.http.get("/")
        assert (document.status_code, document.headers["content-type"]) == (200, "text/html; charset=utf-8")
        paths = await _assets(one)
        assert len(paths) >= 4
        for path in paths:
            assert (await one.http.get(path)).status_code == 200


async def test_a_wrong_key_does_not_disturb_the_page(api: Api, local: Api) -> None:
    for one in (api, local):
        assert (await one.http.get("/", **bearer("tf_0_wrong"))).status_code == 200


async def test_everything_is_sent_with_a_strict_policy(api: Api) -> None:
    for path in ("/", *await _assets(api)):
        headers = (await api.http.get(path)).headers
        assert set(headers["content-security-policy"].split("; ")) == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_the_document_is_asked_for_each_time_and_assets_are_kept_by_their_version(api: Api) -> None:
    assert (await api.http.get("/")).headers["cache-control"] == "no-cache"
    for path in await _assets(api):
        assert "immutable" in (await api.http.get(path)).headers["cache-control"]
        _, _, version, name = path.split("/")
        problem(await api.http.get(f"/assets/0{version[1:]}x/{name}"), 404)


async def test_what_a_browser_has_is_not_sent_again_and_head_works(api: Api) -> None:
    for path in ("/", *await _assets(api)):
        full = await api.http.get(path)
        same = await api.http.get(path, headers={"If-None-Match": full.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == full.headers["etag"]
        assert same.headers["content-security-policy"]
        head = await api.http.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["etag"] == full.headers["etag"]


@pytest.mark.parametrize(
    "path", ["/assets/", "/assets/../api/v1/topics", "/assets/x/%2e%2e%2frroutes.py", "/assets/x/y/z"]
)
async def test_there_is_nothing_else_under_assets(api: Api, path: str) -> None:
    assert (await api.http.get(path)).status_code in {401, 404}


@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("DELETE", "/assets/x/app.js"), ("GET", "/assets")])
async def test_other_methods_and_paths_need_a_key_as_before(api: Api, method: str, path: str) -> None:
    problem(await api.http.request(method, path), 401)


async def test_on_loopback_the_page_is_only_for_this_machine_and_its_own_origin(local: Api) -> None:
    for path in ("/", *await _assets(local)):
        rebound = await local.http.get(path, headers={"Host": "evil.example"})
        assert "loopback" in problem(rebound, 403)["detail"]
        with_a_key = await local.http.get(path, headers={"Host": "evil.example", "Authorization": "Bearer tf_0_0"})
        problem(with_a_key, 403)
        foreign = await local.http.get(path, headers={"Origin": "https://evil.example"})
        assert "https://evil.example" in problem(foreign, 403)["detail"]


async def test_scripts_of_other_origins_cannot_read_it(api: Api) -> None:
    answer = await api.http.get("/", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers
