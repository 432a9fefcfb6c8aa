"""Parsing of any answer of the catalogue, and refused settings."""

import json
from typing import Any

import pytest

from enricher.catalog_schema import Reply, article, articles, urns
from enricher.settings import CatalogSettings
from shared.errors import Doubtful, Refused, SettingInvalid, TopicflowError


def reply(status: int, body: Any) -> Reply:
    return Reply.of(status, body if isinstance(body, bytes) else json.dumps(body).encode(), "")


def error_of(status: int, body: Any, *secrets: str) -> TopicflowError:
    with pytest.raises(TopicflowError) as caught:
        reply(status, body).result(secrets)
    return caught.value


def test_the_result_is_what_the_envelope_holds() -> None:
    assert reply(200, {"help": "", "success": True, "result": [1]}).result(()) == [1]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b"[" * 100_000),
        (200, ["a list"]),
        (200, {"result": []}),
        (200, {"success": False, "error": {"detail": "no"}}),
        (307, b""),
        (404, {"detail": "Not Found"}),
        (405, b"Method Not Allowed"),
    ],
)
def test_a_reply_in_another_format_is_doubtful_and_not_the_fault_of_an_article(status: int, body: Any) -> None:
    found = error_of(status, body)
    assert isinstance(found, Doubtful)
    assert (found.code, "DATA_API_URL" in str(found)) == ("not_the_catalog", True)


def test_a_404_of_the_catalogue_itself_is_final() -> None:
    found = error_of(404, {"success": False, "error": {"detail": "Article not found."}})
    assert isinstance(found, Refused)
    assert (found.code, str(found)) == ("not_found", "the catalogue answered 404: Article not found.")


@pytest.mark.parametrize(
    "body",
    [
        {"success": False, "error": {"detail": "invalid", "errors": [{"loc": ["body", "ai_tags"], "msg": "twice"}]}},
        {"success": False, "error": {"detail": [{"loc": ["body", "ai_tags"], "msg": "twice"}]}},
        {"detail": [{"loc": ["body", "ai_tags"], "msg": "twice"}]},
    ],
)
def test_a_422_names_the_field_in_any_of_its_shapes(body: dict[str, Any]) -> None:
    found = error_of(422, body)
    assert isinstance(found, Refused)
    assert "body.ai_tags: twice" in str(found)


@pytest.mark.parametrize(
    "body", [{"error": 7}, {"error": {"errors": [7, {}], "detail": {}}}, {"detail": ["x", {"loc": 7}]}]
)
def test_an_error_in_an_unknown_format_is_refused_too(body: dict[str, Any]) -> None:
    assert isinstance(error_of(422, body), Refused)


def test_a_quoted_secret_is_removed_from_the_message_and_a_long_one_is_cut() -> None:
    body = {"success": False, "error": {"detail": f"bad token abc.def of s3cret\nand more\0 {'x' * 1000}"}}
    message = str(error_of(400, body, "s3cret", "abc.def", ""))
    assert "bad token … of … and more" in message
    assert "\0" not in message
    assert len(message) < 400


@pytest.mark.parametrize("strange", [7, [], {}, None, True])
def test_a_strange_article_has_empty_texts(strange: Any) -> None:
    names = ("title", "abstract", "content", "ai_category")
    found = article(dict.fromkeys([*names, "ai_tags"], strange) | {"extras": [strange]}, "urn:article:a")
    assert [getattr(found, name) for name in names] == [""] * 4
    assert (found.extras, found.ai_tags) == ({}, [])


def test_half_a_surrogate_pair_and_a_null_character_are_replaced() -> None:
    found = article(json.loads('{"title": "a\\ud800b\\u0000c", "abstract": "\\ud83c\\udf5e"}'), "urn:article:a")
    assert (found.title, found.abstract) == ("a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c", "🍞")


def test_a_page_keeps_its_valid_articles_and_an_invalid_page_is_refused() -> None:
    found = articles({"results": [7, {"title": "no urn"}, {"urn": "urn:article:a"}], "total": 3})
    assert [one.urn for one in found] == ["urn:article:a"]
    assert urns(["urn:article:a", 7]) == ["urn:article:a"]
    for judge, nonsense in ((articles, {"results": None}), (articles, []), (urns, {}), (urns, None)):
        with pytest.raises(Refused):
            judge(nonsense)
    with pytest.raises(Refused):
        article(None, "urn:article:a")


# -- settings ------------------------------------------------------------------------------------------------------

GOOD = {"DATA_API_URL": "http://data-api:8000", "KEYCLOAK_CLIENT_ID": "me", "KEYCLOAK_CLIENT_SECRET": "s3cret"}


def load(monkeypatch: pytest.MonkeyPatch, **settings: str) -> CatalogSettings:
    for name in (*GOOD, "CATALOG_TIMEOUT_SECONDS"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    for name, value in (GOOD | settings).items():
        monkeypatch.setenv(name, value)
    return CatalogSettings.load()


@pytest.mark.parametrize("end", ["", "/", "/api/v1", "/api/v1/"])
def test_the_catalogue_url_can_have_the_prefix_of_the_routes(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    loaded = load(monkeypatch, DATA_API_URL=f"https://data.example/wisefood{end}")
    assert loaded.catalog_url == "https://data.example/wisefood"
    assert "s3cret" not in repr(loaded)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATA_API_URL", ""),
        ("DATA_API_URL", "data-api:8000"),
        ("DATA_API_URL", "http://me:s3cret@data-api"),
        ("DATA_API_URL", "http://s3cret:port"),
        ("DATA_API_URL", "http://[s3cret"),
        ("DATA_API_URL", "http://data-api?key=s3cret"),
        ("KEYCLOAK_CLIENT_ID", ""),
        ("KEYCLOAK_CLIENT_SECRET", ""),
        ("CATALOG_TIMEOUT_SECONDS", "0"),
        ("CATALOG_TIMEOUT_SECONDS", "s3cret"),
    ],
)
def test_an_invalid_setting_is_refused_in_one_line_that_names_it_and_hides_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(SettingInvalid) as caught:
        load(monkeypatch, **{name: value})
    assert str(caught.value).startswith(f"{name}: ")
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
