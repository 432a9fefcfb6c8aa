"""Texts from outside are shown as they are: they run nothing and break nothing."""

from typing import Any

from browser.conftest import NewScreen
from browser.screen import PHONE
from integration.api import Api
from playwright.async_api import expect

IMAGE = "<img src=x onerror=alert(1)>"
SCRIPT = "<script>alert(2)</script>"
LONG = "w" * 5000
CARD: dict[str, Any] = {
    "title": IMAGE,
    "description": f"{SCRIPT} {LONG}",
    "category": IMAGE,
    "tags": [SCRIPT, LONG],
    "__proto__": {"polluted": True},
    "unknown_field": {SCRIPT: [IMAGE, {"deeper": LONG}]},
    "nothing": None,
}


async def test_a_hostile_title_and_card_do_nothing_and_break_nothing(api: Api, new_screen: NewScreen) -> None:
    body = {"topics": [{"title": IMAGE, "status": "completed", "content": CARD}]}
    answer = await api.ask("POST", "/topics/import", json=body)
    assert answer.is_success, answer.text
    [topic] = answer.json()["topics"]
    screen = await new_screen(api.deployment.url, viewport=PHONE)
    await screen.open("/topics?search=onerror")
    await expect(screen.row(IMAGE)).to_be_visible()
    assert await screen.has_no_horizontal_scroll()
    await screen.open(f"/topics/{topic['id']}")
    await expect(screen.heading).to_have_text(IMAGE)
    await expect(screen.text("Unknown field")).to_be_visible()
    await expect(screen.text(SCRIPT).first).to_be_visible()
    assert await screen.page.locator("main img, main script").count() == 0
    assert await screen.has_no_horizontal_scroll()
    assert await screen.page.evaluate("({}).polluted") is None


async def test_a_hostile_address_is_shown_as_no_such_page_or_topic(api: Api, new_screen: NewScreen) -> None:
    screen = await new_screen(api.deployment.url)
    await screen.open(f"/{IMAGE}")
    await expect(screen.heading).to_have_text("There is no such page")
    await screen.open("/topics/%E0%A4%A")
    await expect(screen.heading).to_have_text("No such topic")
    await screen.open("/topics?status=%3Cscript%3E")
    await expect(screen.page.get_by_role("alert")).to_contain_text("status")
