"""How the CLI handles good and bad answers of the API."""

import httpx
import pytest

from topicflow.client.api import ApiClient, answer_of, base_url
from topicflow.errors import CommandError, Unreachable, WrongUse


def _api(response: httpx.Response) -> ApiClient:
    return ApiClient("http://127.0.0.1:1", None, httpx.MockTransport(lambda _: response))


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [(400, 2), (401, 4), (403, 4), (404, 1), (409, 1), (422, 2), (429, 3), (500, 1), (502, 3), (503, 3), (302, 1)],
)
async def test_each_refusal_has_its_exit_code_and_message(status: int, exit_code: int) -> None:
    problem = {"type": "about:blank", "title": "Refused", "status": status, "detail": "because\n of \x1b[31mthis"}
    with pytest.raises(CommandError) as caught:
        await _api(httpx.Response(status, json=problem)).get("/topics")
    assert caught.value.exit_code == exit_code
    assert str(caught.value) == "because of \ufffd[31mthis"


async def test_the_fields_that_are_wrong_are_named() -> None:
    errors = [{"field": f"topics[{n}]", "message": "is blank"} for n in range(5)]
    with pytest.raises(WrongUse) as caught:
        await _api(httpx.Response(422, json={"title": "Invalid", "errors": errors})).get("/topics")
    assert str(caught.value) == "Invalid: topics[0] is blank; topics[1] is blank; topics[2] is blank and 2 more"


async def test_the_detail_is_not_repeated() -> None:
    problem = {"detail": "limit: too large", "errors": [{"field": "limit", "message": "too large"}]}
    with pytest.raises(WrongUse) as caught:
        await _api(httpx.Response(422, json=problem)).get("/topics")
    assert str(caught.value) == "limit: too large"


async def test_an_answer_that_is_not_json_is_not_topicflows() -> None:
    with pytest.raises(Unreachable, match="not answered by topicflow"):
        answer_of(await _api(httpx.Response(200, text="<html>")).get("/topics"))


async def test_an_unreachable_api_is_one_clear_line() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("All connection attempts failed")

    with pytest.raises(Unreachable, match=r"nothing answers at http://127\.0\.0\.1:1"):
        await ApiClient("http://127.0.0.1:1", None, httpx.MockTransport(refuse)).get("/topics")


@pytest.mark.parametrize("url", ["cards.example", "ftp://cards.example", "http://"])
def test_an_invalid_url_is_wrong_use(url: str) -> None:
    with pytest.raises(WrongUse):
        ApiClient(url)


def test_a_url_with_the_prefix_of_the_routes_is_the_same() -> None:
    assert base_url("https://cards.example/api/v1/") == base_url("https://cards.example/") == "https://cards.example"


@pytest.mark.parametrize(("status", "exit_code"), [(404, 3), (410, 3), (500, 3), (502, 3), (403, 4)])
async def test_a_page_of_a_proxy_says_that_the_api_is_away(status: int, exit_code: int) -> None:
    with pytest.raises(CommandError) as caught:
        await _api(httpx.Response(status, html="<html>no backend</html>")).get("/topics")
    assert caught.value.exit_code == exit_code
