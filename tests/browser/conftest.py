"""The page of a running deployment in a real browser. Skipped where there is no Chromium, but not in CI."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import NoReturn

import pytest
from browser.screen import Screen
from integration.api import Api, started
from playwright.async_api import Browser, async_playwright
from servers import Deployment, Stacks

CHROMIUM = shutil.which("chromium")
NewScreen = Callable[..., Awaitable[Screen]]


def _without_browser() -> NoReturn:
    """A missing browser is a skip on a laptop and a failure in CI."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)("there is no chromium here")


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        _without_browser()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def new_screen(chromium: Browser) -> AsyncIterator[NewScreen]:
    """Opens a browser of its own with one tab. Whatever its console complains of fails the test."""
    async with AsyncExitStack() as opened:
        screens: list[Screen] = []

        async def new(url: str, **options: object) -> Screen:
            context = await chromium.new_context(**options)  # type: ignore[arg-type]
            opened.push_async_callback(context.close)
            screens.append(Screen(await context.new_page(), url))
            return screens[-1]

        yield new
        assert [fault for screen in screens for fault in screen.faults] == []


@pytest.fixture(scope="session")
def deployed_for_pages(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    if CHROMIUM is None:
        _without_browser()
    folder = tmp_path_factory.mktemp("pages")
    with stacks.shared(folder) as stack:
        deployed = started(stack, folder)
        yield deployed
        deployed.end()


@pytest.fixture
async def api(deployed_for_pages: Deployment) -> AsyncIterator[Api]:
    """Ready, with a simulator without faults."""
    deployed_for_pages.gemini.forget_faults()
    async with deployed_for_pages.client() as client:
        api = Api(deployed_for_pages, client)
        yield await api.ready()


@pytest.fixture
async def screen(api: Api, new_screen: NewScreen) -> Screen:
    return await new_screen(api.deployment.url)
