"""The real client against faults of the catalogue over HTTP: each error becomes the right exception."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import pytest
from eventually import eventually
from servers import LOOPBACK, CatalogSimulator, free_port

from enricher.catalog_client import MOST_BYTES, CatalogClient
from enricher.catalog_schema import NotTheCatalog
from shared.errors import CatalogRefusesUs, CatalogUnavailable, Doubtful, Outage, Refused, TopicflowError
from shared.resilience.outage_detection import SEVERAL

TIMEOUT = 0.5  # seconds
SECRET = "hush-hush"
OATS = "urn:article:oat-beta-glucan-ldl"
NATTO = "urn:article:natto-osteoporosis"
T = TypeVar("T")


@pytest.fixture
def simulator(catalog_simulator: CatalogSimulator) -> CatalogSimulator:
    return catalog_simulator


def client_of(url: str, secret: str = SECRET, timeout: float = TIMEOUT) -> CatalogClient:
    return CatalogClient(url=url, client_id="enricher", client_secret=secret, timeout_seconds=timeout)


@asynccontextmanager
async def opened(catalog: CatalogClient) -> AsyncIterator[CatalogClient]:
    try:
        yield catalog
    finally:
        await catalog.close()


@pytest.fixture
async def catalog(simulator: CatalogSimulator) -> AsyncIterator[CatalogClient]:
    """Logged in."""
    async with opened(client_of(simulator.url)) as catalog:
        await catalog.list_page(offset=0, limit=1)
        simulator.forget_calls()
        yield catalog


async def outcome(call: Awaitable[T]) -> T | TopicflowError:
    try:
        return await call
    except TopicflowError as error:
        return error


# -- what it reads and writes --------------------------------------------------------------------------------------


async def test_missing_texts_of_an_article_are_read_as_empty(catalog: CatalogClient) -> None:
    article = await catalog.read(NATTO)
    assert (article.urn, "納豆" in article.title, "横断的" in article.abstract, article.content) == (
        NATTO,
        True,
        True,
        "",
    )
    assert (article.extras, article.ai_tags, article.ai_category, article.ai_key_takeaways) == ({}, [], "", [])
    without = await catalog.read("urn:article:title-only-corrigendum")
    assert (without.abstract, without.content) == ("", "")
    assert catalog.simulated is True


async def test_written_fields_are_read_back(catalog: CatalogClient) -> None:
    await catalog.patch(OATS, {"input_hash": "abc", "deep": {"glossary": ["β-Glucan", "日誌"]}})
    await catalog.enhance(
        OATS, "enricher", {"ai_tags": ["Oats"], "ai_category": "Other", "ai_key_takeaways": ["Small."]}
    )
    await catalog.patch(OATS, {"input_hash": None})
    article = await catalog.read(OATS)
    assert article.extras == {"input_hash": None, "deep": {"glossary": ["β-Glucan", "日誌"]}}
    assert (article.ai_tags, article.ai_category, article.ai_key_takeaways) == (["Oats"], "Other", ["Small."])


async def test_any_urn_is_sent_unchanged_and_unstorable_characters_are_replaced(
    catalog: CatalogClient, simulator: CatalogSimulator
) -> None:
    urn = "urn:article:straße 日誌?a=b&c#d%2F+é"
    simulator.write(urn, title="Brot\0brief", abstract="Teig 🍞", extras={"n": 1})
    article = await catalog.read(urn)
    assert (article.urn, article.title, article.abstract) == (urn, "Brot\N{REPLACEMENT CHARACTER}brief", "Teig 🍞")
    await catalog.patch(urn, {"m": 2})
    await catalog.enhance(urn, "enricher", {"ai_tags": ["Brot"]})
    assert simulator.article(urn)["extras"] == {"n": 1, "m": 2}
    assert simulator.article(urn)["ai_tags"] == ["Brot"]


async def test_the_list_has_no_end_mark_and_changes_its_order_when_articles_are_written(catalog: CatalogClient) -> None:
    first, second, third = await catalog.list_page(offset=0, limit=3)
    await catalog.patch(third, {"seen": True})
    assert await catalog.list_page(offset=0, limit=3) == [third, first, second]
    assert await catalog.list_page(offset=100_000, limit=3) == []


async def test_a_search_returns_complete_articles_in_a_stable_order(
    catalog: CatalogClient, simulator: CatalogSimulator
) -> None:
    simulator.begin(made=2_000)
    await catalog.patch(NATTO, {"input_hash": "abc"})
    urns = [article.urn for article in await catalog.search_page(offset=0, limit=1000, sort="urn asc")]
    assert urns == sorted(urns)
    [natto] = await catalog.search_page(offset=0, limit=10, fq=["language:ja"])
    assert (natto.urn, natto.extras, natto.abstract[:3]) == (NATTO, {"input_hash": "abc"}, "閉経後")
    assert await catalog.search_page(offset=0, limit=10, q="xylophone") == []
    refused = await outcome(catalog.search_page(offset=9_500, limit=1000))
    assert isinstance(refused, Refused)
    assert (refused.code, "window" in str(refused)) == ("catalog_400", True)


async def test_pages_by_urn_skip_nothing_while_articles_are_written(
    catalog: CatalogClient, simulator: CatalogSimulator
) -> None:
    simulator.begin(made=500)
    simulator.write(NATTO, status="deleted")
    there = {urn for urn in await catalog.list_page(offset=0, limit=1000) if urn != NATTO}
    seen: list[str] = []
    while page := await catalog.page_after(seen[-1] if seen else "", 100):
        seen += [article.urn for article in page]
        for urn in seen[-2:]:
            await catalog.patch(urn, {"seen": True})
    assert seen == sorted(there)


async def test_an_answer_that_is_too_large_is_refused(simulator: CatalogSimulator) -> None:
    simulator.write(OATS, content="x" * (MOST_BYTES + 1))
    async with opened(client_of(simulator.url, timeout=30)) as catalog:
        refused = await outcome(catalog.read(OATS))
        assert isinstance(refused, Refused)
        assert refused.code == "answer_too_large"
        simulator.write(OATS, content="x" * (MOST_BYTES - 10_000))
        assert len((await catalog.read(OATS)).content) == MOST_BYTES - 10_000


# -- errors --------------------------------------------------------------------------------------------------------


# fault, its scope, what a read ends in, whether the catalogue was probed
@pytest.mark.parametrize(
    ("fault", "scope", "error", "probed"),
    [
        ("429", {"retry_after_seconds": 7}, CatalogUnavailable, False),
        ("503", {"retry_after_seconds": 7}, CatalogUnavailable, False),
        ("502", {}, CatalogUnavailable, False),
        ("401", {}, CatalogRefusesUs, False),
        ("403", {"route": "read"}, CatalogRefusesUs, False),
        ("500", {}, CatalogUnavailable, True),
        ("500", {"urn_contains": "oat"}, Doubtful, True),
        ("504", {"urn_contains": "oat"}, Doubtful, True),
        ("hang", {}, CatalogUnavailable, True),
        ("hang", {"urn_contains": "oat"}, Doubtful, True),
        ("reset", {}, CatalogUnavailable, True),
        ("reset", {"urn_contains": "oat"}, Doubtful, True),
        ("page", {}, CatalogUnavailable, True),
        ("page", {"urn_contains": "oat"}, NotTheCatalog, True),
        ("404", {"urn_contains": "oat"}, Refused, False),
        ("422", {"urn_contains": "oat"}, Refused, False),
        ("400", {"urn_contains": "oat"}, Refused, False),
    ],
)
async def test_each_error_becomes_the_right_exception(
    catalog: CatalogClient,
    simulator: CatalogSimulator,
    fault: str,
    scope: dict[str, Any],
    error: type[Exception],
    probed: bool,
) -> None:
    simulator.add_fault(fault, **scope)
    found = await outcome(catalog.read(OATS))
    assert type(found) is error
    assert (simulator.calls["by_route"]["list"] > 0) is probed
    if "retry_after_seconds" in scope:
        assert isinstance(found, Outage)
        assert found.retry_after == 7


async def test_outage_reasons_distinguish_the_catalogue_from_gemini(
    catalog: CatalogClient, simulator: CatalogSimulator
) -> None:
    reasons = {}
    for fault in ("503", "401"):
        simulator.add_fault(fault)
        found = await outcome(catalog.read(OATS))
        assert isinstance(found, Outage)
        assert "catalogue" in str(found)
        reasons[fault] = found.reason
        simulator.forget_faults()
    assert reasons == {"503": "catalog_unavailable", "401": "catalog_refuses_us"}
    assert (await catalog.read(OATS)).urn == OATS


async def test_an_article_that_is_gone_is_not_found(catalog: CatalogClient) -> None:
    gone = "urn:article:gone"
    for call in (catalog.read(gone), catalog.patch(gone, {}), catalog.enhance(gone, "enricher", {"ai_tags": []})):
        found = await outcome(call)
        assert isinstance(found, Refused)
        assert (found.code, gone in str(found)) == ("not_found", True)


async def test_unknown_urns_are_no_outage_however_many(catalog: CatalogClient) -> None:
    found = [await outcome(catalog.read(f"urn:article:{n}/of/many")) for n in range(SEVERAL + 1)]
    assert {type(error) for error in found} == {NotTheCatalog}
    assert (await catalog.read(OATS)).urn == OATS


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"ai_tags": ["Oats", "oats"]}, "fields.ai_tags: tags must be unique"),
        ({"ai_key_takeaways": "one text"}, "fields.ai_key_takeaways: "),
        ({"extras": {}}, "fields.extras: "),
    ],
)
async def test_fields_that_the_catalogue_rejects_are_refused_by_name(
    catalog: CatalogClient, fields: dict[str, Any], detail: str
) -> None:
    found = await outcome(catalog.enhance(OATS, "enricher", fields))
    assert isinstance(found, Refused)
    assert (found.code, detail in str(found)) == ("catalog_422", True)


async def test_an_unreachable_catalogue_is_an_outage_at_once() -> None:
    async with opened(client_of(f"http://{LOOPBACK}:{free_port()}")) as catalog:
        found = await outcome(catalog.read(OATS))
    assert type(found) is CatalogUnavailable
    assert "cannot be reached" in str(found)


async def test_another_server_at_its_address_is_an_outage_that_names_the_setting(simulator: CatalogSimulator) -> None:
    async with opened(client_of(f"{simulator.url}/elsewhere")) as catalog:
        found = await outcome(catalog.read(OATS))
    assert type(found) is CatalogUnavailable
    assert "DATA_API_URL" in str(found)


async def test_a_timeout_while_other_calls_succeed_is_no_outage(
    catalog: CatalogClient, simulator: CatalogSimulator
) -> None:
    simulator.add_fault("hang", urn_contains="oat")
    oats, natto = await asyncio.gather(outcome(catalog.read(OATS)), outcome(catalog.read(NATTO)))
    assert type(oats) is Doubtful
    assert not isinstance(natto, TopicflowError)
    assert simulator.calls["by_route"]["list"] == 0


async def test_several_errors_in_a_row_are_an_outage_although_a_probe_is_answered(
    catalog: CatalogClient, simulator: CatalogSimulator
) -> None:
    urns = await catalog.list_page(offset=0, limit=SEVERAL)
    simulator.add_fault("500", route="read")
    found = [await outcome(catalog.read(urn)) for urn in urns]
    assert [type(error) for error in found] == [Doubtful] * (SEVERAL - 1) + [CatalogUnavailable]
    await catalog.patch(urns[0], {"a": 1})
    assert type(await outcome(catalog.read(urns[0]))) is Doubtful


async def test_a_write_whose_answer_was_lost_can_be_repeated(
    catalog: CatalogClient, simulator: CatalogSimulator
) -> None:
    simulator.add_fault("lost", urn_contains="oat", times=2)
    for write in (catalog.patch(OATS, {"a": 1}), catalog.enhance(OATS, "enricher", {"ai_tags": ["Oats"]})):
        assert type(await outcome(write)) is Doubtful
    await catalog.patch(OATS, {"a": 1})
    await catalog.enhance(OATS, "enricher", {"ai_tags": ["Oats"]})
    article = await catalog.read(OATS)
    assert (article.extras, article.ai_tags) == ({"a": 1}, ["Oats"])
    assert (simulator.calls["patches"], simulator.calls["enhances"]) == ({OATS: 2}, {OATS: 2})


async def test_a_dripping_answer_ends_at_its_timeout() -> None:
    dripped = asyncio.Event()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n")
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()
        dripped.set()

    dripping = await asyncio.start_server(drip, LOOPBACK, 0)
    port = dripping.sockets[0].getsockname()[1]
    async with dripping, opened(client_of(f"http://{LOOPBACK}:{port}")) as catalog:
        began = time.monotonic()
        found = await outcome(catalog.read(OATS))
        await dripped.wait()
    assert type(found) is CatalogUnavailable
    assert "did not answer" in str(found)
    assert TIMEOUT <= time.monotonic() - began < 10


# -- tokens --------------------------------------------------------------------------------------------------------


async def test_concurrent_calls_share_one_login(simulator: CatalogSimulator) -> None:
    async with opened(client_of(simulator.url, timeout=5)) as catalog:
        for logins in (1, 2):
            await asyncio.gather(*(catalog.read(OATS) for _ in range(30)))
            assert simulator.calls["by_route"]["login"] == logins
            simulator.end_tokens()
    assert simulator.calls["reads"] == {OATS: 60}


async def test_a_failed_login_fails_all_calls_that_wait_for_it(simulator: CatalogSimulator) -> None:
    simulator.add_fault("503", route="login", retry_after_seconds=7, times=1)
    async with opened(client_of(simulator.url)) as catalog:
        found = await asyncio.gather(*(outcome(catalog.read(OATS)) for _ in range(10)))
        assert {type(error) for error in found} == {CatalogUnavailable}
        assert simulator.calls["by_route"]["login"] == 1
        assert (await catalog.read(OATS)).urn == OATS


async def test_a_cancelled_call_does_not_cancel_the_login_for_others(simulator: CatalogSimulator) -> None:
    simulator.add_fault("slow", route="login", seconds=0.2)
    async with opened(client_of(simulator.url, timeout=5)) as catalog:
        impatient, patient = (asyncio.create_task(catalog.read(OATS)) for _ in range(2))
        await eventually(lambda: simulator.calls["by_route"]["login"] == 1, within=5)
        impatient.cancel()
        assert (await patient).urn == OATS
    assert simulator.calls["by_route"]["login"] == 1


async def test_tokens_are_renewed_while_they_expire(simulator: CatalogSimulator) -> None:
    simulator.tokens_last(0.3)
    async with opened(client_of(simulator.url, timeout=5)) as catalog:
        began = time.monotonic()
        while time.monotonic() - began < 1.5:
            await asyncio.gather(*(catalog.read(OATS) for _ in range(10)))
    calls = simulator.calls
    assert calls["by_route"]["login"] >= 3
    assert calls["by_status"].get("401", 0) <= 10 * calls["by_route"]["login"]


async def test_a_refused_token_is_renewed_once_and_a_second_refusal_is_an_outage(
    catalog: CatalogClient, simulator: CatalogSimulator
) -> None:
    simulator.add_fault("401", route="patch", times=1)
    await catalog.patch(OATS, {"a": 1})
    assert (simulator.calls["by_route"]["login"], simulator.calls["patches"]) == (1, {OATS: 1})
    simulator.add_fault("401", route="patch", times=2)
    assert type(await outcome(catalog.patch(OATS, {"a": 1}))) is CatalogRefusesUs
    assert simulator.calls["by_route"]["login"] == 2


async def test_refused_credentials_are_an_outage_that_names_the_settings(simulator: CatalogSimulator) -> None:
    async with opened(client_of(simulator.url, secret="refused")) as catalog:
        found = await outcome(catalog.read(OATS))
    assert type(found) is CatalogRefusesUs
    assert "KEYCLOAK_CLIENT_ID and KEYCLOAK_CLIENT_SECRET" in str(found)
    assert "refused" not in str(found)
