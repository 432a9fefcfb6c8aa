"""Each screen for everybody: by keyboard alone, in light and dark, on a phone, and as axe-core sees it."""

import pytest
from axe_playwright_python.async_playwright import Axe
from browser.conftest import NewScreen
from browser.screen import PHONE, Screen
from integration.api import Api
from playwright.async_api import expect

PLACES = [
    "/topics",
    "/topics?status=failed",
    "/submit/topics",
    "/submit/articles",
    "/articles",
    "/failures",
    "/workers",
    "/usage",
    "/none",
]


@pytest.fixture
async def one_of_each(api: Api) -> str:
    """Returns the id of a topic that is completed; another one has failed."""
    api.deployment.gemini.add_fault("block", title_contains="Failed for axe")
    completed, failed = (await api.submit("Completed for axe", "Failed for axe"))["topics"]
    await api.ended(failed["id"], as_="failed")
    await api.ended(completed["id"])
    return str(completed["id"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_screen(api: Api, new_screen: NewScreen, one_of_each: str, scheme: str) -> None:
    screen = await new_screen(api.deployment.url, color_scheme=scheme)
    for place in [*PLACES, f"/topics/{one_of_each}"]:
        await screen.open(place)
        await screen.is_live()
        await expect(screen.text("Loading …")).to_have_count(0)
        found = await Axe().run(screen.page)
        assert found.violations_count == 0, f"{place}: {found.generate_report()}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_in_a_dialog(api: Api, new_screen: NewScreen, one_of_each: str, scheme: str) -> None:
    screen = await new_screen(api.deployment.url, color_scheme=scheme)
    await screen.open(f"/topics/{one_of_each}")
    await screen.button("Delete").click()
    found = await Axe().run(screen.page)
    assert found.violations_count == 0, found.generate_report()


async def test_no_screen_scrolls_sideways_on_a_phone(api: Api, new_screen: NewScreen, one_of_each: str) -> None:
    screen = await new_screen(api.deployment.url, viewport=PHONE)
    for place in [*PLACES, f"/topics/{one_of_each}"]:
        await screen.open(place)
        await screen.is_live()
        assert await screen.has_no_horizontal_scroll(), place


async def test_a_topic_is_submitted_opened_and_deleted_by_keyboard_alone(screen: Screen) -> None:
    press = screen.page.keyboard.press
    await screen.open("/submit/topics")
    await press("Tab")
    await expect(screen.link("Skip to content")).to_be_focused()
    await press("Enter")
    await expect(screen.page.locator("main")).to_be_focused()
    for _ in range(3):  # over the two kinds of submission to the field
        await press("Tab")
    await expect(screen.page.get_by_label("Titles, one a line")).to_be_focused()
    await screen.page.keyboard.type("By keyboard")
    await press("Control+Enter")
    await expect(screen.row("By keyboard").locator(".status")).to_have_text("Completed")
    await screen.link("By keyboard").focus()
    await press("Enter")
    await expect(screen.heading).to_have_text("By keyboard")
    await expect(screen.heading).to_be_focused()
    await press("Tab")
    await press("Tab")
    await expect(screen.button("Delete")).to_be_focused()
    await press("Enter")
    await expect(screen.page.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
    await press("Escape")
    await expect(screen.button("Delete")).to_be_focused()
    await press("Enter")
    await press("Tab")
    await press("Enter")
    await expect(screen.text("“By keyboard” is deleted.")).to_be_visible()


async def test_the_chosen_theme_stays(screen: Screen) -> None:
    await screen.open()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await screen.page.evaluate(ground)
    await screen.button("Theme: auto").click()
    await screen.button("Theme: light").click()
    assert await screen.page.evaluate(ground) != light
    await screen.page.reload()
    await expect(screen.button("Theme: dark")).to_be_visible()
    assert await screen.page.evaluate(ground) != light
