"""The API reference at /docs: open to everybody, all of it from this API, and rendered by a real browser."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from integration.api import Api, problem
from integration.keyed import Keyed, bearer
from servers import Stacks

CHROMIUM = shutil.which("chromium")
FILES = ("/docs/show_reference.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/favicon-32x32.png")
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


@pytest.fixture(scope="module")
def keyed(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    folder = tmp_path_factory.mktemp("reference")
    with stacks.shared(folder) as stack:
        keyed = Keyed(stack, folder)
        yield keyed
        keyed.end()
    assert "Traceback" not in keyed.output


class LoadedByPage(HTMLParser):
    """What a page loads and links to, and its inline scripts, styles and handlers."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.urls += [url for name, url in attrs if name in {"src", "href"} and url]
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)


# -- open, and nothing else is --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/docs", *FILES, "/openapi.json"])
async def test_the_reference_and_its_files_need_no_key_anywhere_and_take_one(
    beyond: Api, local: Api, keyed: Keyed, path: str
) -> None:
    for api in (beyond, local):
        for headers in ({}, bearer(keyed.submitter)):
            answer = await api.http.get(path, **headers)
            assert answer.status_code == 200
            assert answer.content
            assert (await api.http.head(path, **headers)).status_code == 200


@pytest.mark.parametrize("path", ["/docs", *FILES, "/openapi.json"])
async def test_only_reading_is_open(beyond: Api, local: Api, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        problem(await beyond.http.request(method, path), 401)
        problem(await local.http.request(method, path), 405)


@pytest.mark.parametrize("path", ["/docs", FILES[0], "/openapi.json"])
async def test_a_key_changes_nothing_and_a_foreign_page_is_refused_as_everywhere(
    beyond: Api, local: Api, path: str
) -> None:
    assert (await beyond.http.get(path, **bearer("tf_0_unknown"))).status_code == 200
    problem(await local.http.get(path, headers={"Host": "elsewhere.example"} | bearer("tf_0_unknown")["headers"]), 403)
    problem(await local.http.get(path, headers={"Host": "elsewhere.example"}), 403)
    problem(await local.http.get(path, headers={"Origin": "https://elsewhere.example"}), 403)


@pytest.mark.parametrize(
    "below",
    [
        "nothing.js",
        "page.html",
        "routes.py",
        "..",
        "../api/v1/topics",
        "../docs/swagger-ui.css",
        "%2e%2e/api/v1/topics",
        "..%2fapi%2fv1%2ftopics",
        "%2e%2e%2froutes.py",
        "..%5croutes.py",
        "%252e%252e%252froutes.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "./swagger-ui.css",
        "swagger-ui.css%00",
    ],
)
async def test_no_path_below_leads_anywhere_else(beyond: Api, local: Api, below: str) -> None:
    for api in (beyond, local):
        assert await raw_status(api, f"/docs/{below}") == 404


@pytest.mark.parametrize("path", ["/docsx", "/docs-internal/topics", "/openapi.json/", "/openapi.jsonx", "/DOCS"])
async def test_a_path_that_only_begins_alike_needs_a_key(beyond: Api, path: str) -> None:
    problem(await beyond.http.get(path), 401)


async def raw_status(api: Api, target: str) -> int:
    """Of a GET with exactly this target: a client that knows URLs would resolve its dots."""
    host = api.http.base_url.host
    reader, writer = await asyncio.open_connection(host, api.deployment.api_port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    line = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])


# -- what is answered -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/docs", *FILES])
async def test_the_policy_allows_scripts_and_styles_of_this_api_only_and_nothing_inline(local: Api, path: str) -> None:
    answer = await local.http.get(path)
    directives = [directive.partition(" ") for directive in answer.headers["content-security-policy"].split("; ")]
    assert {name: value for name, _, value in directives} == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_page_names_files_of_this_api_only_and_has_nothing_inline(local: Api) -> None:
    page = LoadedByPage((await local.http.get("/docs")).text)
    assert sorted(page.urls) == sorted([*FILES, "/openapi.json"])
    assert page.inline == []
    script = (await local.http.get(FILES[0])).text
    assert re.findall(r'url: "([^"]*)"', script) == ["/openapi.json"]
    assert "://" not in script
    style = (await local.http.get("/docs/swagger-ui.css")).text
    assert {url.partition(":")[0] for url in re.findall(r'url\("?([^")]+)', style)} <= {"data"}
    assert "@import" not in style


@pytest.mark.parametrize("path", ["/docs", *FILES])
async def test_head_answers_as_get_and_what_has_not_changed_is_304(local: Api, path: str) -> None:
    get, head = await local.http.get(path), await local.http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag", "content-security-policy", "cache-control", "vary"):
        assert head.headers[name] == get.headers[name], name
    tag = get.headers["etag"]
    same = await local.http.get(path, headers={"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert same.headers["content-security-policy"] == get.headers["content-security-policy"]
    assert (await local.http.get(path, headers={"If-None-Match": 'W/"another"'})).status_code == 200


@pytest.mark.parametrize("path", ["/docs", *FILES])
async def test_files_are_compressed_for_clients_that_can_read_that(local: Api, path: str) -> None:
    packed = await local.http.get(path, headers={"Accept-Encoding": "gzip"})
    plain = await local.http.get(path, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(plain.headers["content-length"]) == len(plain.content)


async def test_the_document_names_the_key_that_try_it_out_sends(local: Api) -> None:
    document = (await local.http.get("/openapi.json")).json()
    [scheme] = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert not [path for path in document["paths"] if path.startswith("/docs")]
    assert "servers" not in document  # so requests go to the host of the page


# -- in a browser ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not CHROMIUM, reason="there is no chromium here")
async def test_a_browser_shows_every_route_on_loopback_and_beyond_and_reports_no_error(
    beyond: Api, local: Api, tmp_path: Path
) -> None:
    paths = (await local.http.get("/openapi.json")).json()["paths"]
    routes = sorted((method, path) for path, methods in paths.items() for method in methods)
    for api in (beyond, local):
        page, console = await rendered(f"http://127.0.0.1:{api.deployment.api_port}/docs", tmp_path)
        shown = re.findall(r'<span class="opblock-summary-method">(\w+)</span>.*?data-path="([^"]+)"', page)
        assert sorted((method.lower(), path) for method, path in shown) == routes
        assert ">Authorize<" in page
        assert not re.findall(r"CONSOLE.*", console)


async def rendered(url: str, profile: Path) -> tuple[str, str]:
    """The page after its scripts have run, and what the browser logged."""
    options = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        f"--user-data-dir={profile}",
        "--virtual-time-budget=10000",
    )
    browser = await asyncio.create_subprocess_exec(
        *(str(CHROMIUM), *options, "--dump-dom", url), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, logged = await asyncio.wait_for(browser.communicate(), 90)
    return out.decode(), logged.decode("utf-8", "replace")
