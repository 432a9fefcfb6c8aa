"""Keys on the page: asked for, refused, lacking a scope, and forgotten when signing out."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from browser.conftest import NewScreen
from browser.screen import Screen
from integration.api import Api
from integration.keyed import Keyed
from playwright.async_api import Browser, expect
from servers import Stacks


@pytest.fixture
async def keyed(chromium: Browser, stacks: Stacks, tmp_path: Path) -> AsyncIterator[Keyed]:
    with stacks.shared(tmp_path) as stack:
        keyed = await asyncio.to_thread(Keyed, stack, tmp_path)
        async with keyed.called_from_elsewhere():
            yield keyed
        await asyncio.to_thread(keyed.end)


async def _gives(screen: Screen, key: str) -> None:
    await screen.page.get_by_label("API key").fill(key)
    await screen.button("Use this key").click()


async def test_a_key_is_asked_for_once_and_never_in_the_address(keyed: Keyed, new_screen: NewScreen) -> None:
    screen = await new_screen(keyed.open.url)
    await screen.open()
    await expect(screen.page.get_by_role("dialog")).to_have_count(1)
    await _gives(screen, "tf_wrong_key")
    await expect(screen.text("This key is not accepted")).to_be_visible()
    await _gives(screen, keyed.reader)
    await expect(screen.text("There are no topics yet.")).to_be_visible()
    await screen.is_live()
    assert keyed.reader not in screen.page.url
    assert await screen.page.evaluate("localStorage.length + document.cookie.length") == 0
    await screen.page.reload()
    await screen.is_live()
    await screen.button("Sign out").click()
    await expect(screen.page.get_by_role("dialog")).to_be_visible()
    assert await screen.page.evaluate("sessionStorage.length") == 0


async def test_a_missing_scope_is_named_where_it_is_missed(keyed: Keyed, new_screen: NewScreen) -> None:
    screen = await new_screen(keyed.open.url)
    await screen.open("/submit/topics")
    await _gives(screen, keyed.reader)
    await screen.is_live()
    await screen.page.get_by_label("Titles, one a line").fill("Not allowed")
    await screen.button("Submit").click()
    await expect(screen.text("this API key lacks the scope submit; it has read")).to_be_visible()
    await expect(screen.page.get_by_label("Titles, one a line")).to_have_value("Not allowed")


async def test_without_a_key_the_page_says_so_and_asks_again_when_wanted(keyed: Keyed, new_screen: NewScreen) -> None:
    screen = await new_screen(keyed.open.url)
    await screen.open()
    await screen.button("Not now").click()
    await screen.button("Try again").click()
    await _gives(screen, keyed.reader)
    await expect(screen.text("There are no topics yet.")).to_be_visible()
    await screen.is_live()


async def test_a_key_that_may_not_read_is_told_so(keyed: Keyed, new_screen: NewScreen) -> None:
    screen = await new_screen(keyed.open.url)
    await screen.open()
    await _gives(screen, keyed.submitter)
    await expect(screen.page.locator(".lost")).to_contain_text("lacks the scope read")


async def test_on_loopback_no_key_is_asked_for(screen: Screen, api: Api) -> None:
    await screen.open()
    await screen.is_live()
    await expect(screen.button("Sign out")).to_be_hidden()
