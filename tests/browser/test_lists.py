"""Lists: filters in the address, pages, rows that come and change, and what is done to selected ones."""

import re

from browser.screen import Screen
from integration.api import Api
from playwright.async_api import expect

SATURN = [f"Saturn ring {n:02}" for n in range(30)]


async def _completed(api: Api, *titles: str) -> None:
    await api.ended(*(topic["id"] for topic in (await api.submit(*titles))["topics"]))


async def test_filters_are_in_the_address_and_the_back_button_takes_them_off(screen: Screen, api: Api) -> None:
    await _completed(api, *SATURN)
    await screen.open("/topics?search=saturn&sort_by=title&sort_order=asc")
    await expect(screen.text("30 topics")).to_be_visible()
    await screen.page.get_by_role("navigation", name="Filter by status").get_by_role("link", name="Failed").click()
    await expect(screen.text("No topic matches these filters.")).to_be_visible()
    await screen.page.go_back()
    await expect(screen.page.locator("tbody tr").first).to_contain_text("Saturn ring 00")
    await screen.text("More filters").click()
    await screen.page.get_by_label("Filter by", exact=True).select_option("worker")
    await screen.page.get_by_label("Value of the filter").fill("nobody")
    await screen.button("Add filter").click()
    await expect(screen.page).to_have_url(re.compile("worker=nobody"))
    await screen.button("Remove the filter Worker: nobody").click()
    await expect(screen.text("30 topics")).to_be_visible()
    await screen.page.reload()
    await expect(screen.page.get_by_role("searchbox")).to_have_value("saturn")


async def test_pages_lead_on_and_back(screen: Screen, api: Api) -> None:
    await _completed(api, *SATURN)
    await screen.open("/topics?search=saturn&sort_by=title&sort_order=asc")
    first = screen.page.locator("tbody tr").first
    await screen.button("Next").click()
    await expect(first).to_contain_text("Saturn ring 25")
    await expect(screen.page.locator("tbody tr")).to_have_count(5)
    await screen.button("Previous").click()
    await expect(first).to_contain_text("Saturn ring 00")
    await expect(screen.button("Previous")).to_be_disabled()


async def test_new_rows_are_announced_and_come_when_asked_for(screen: Screen, api: Api) -> None:
    await _completed(api, "Jupiter A")
    await screen.open("/topics?search=jupiter")
    await screen.is_live()
    await _completed(api, "Jupiter B", "Jupiter C")
    await expect(screen.button("2 new topics: show")).to_be_visible()
    await expect(screen.row("Jupiter B")).to_have_count(0)
    await screen.button("2 new topics: show").click()
    await expect(screen.row("Jupiter B")).to_be_visible()


async def test_rows_change_where_they_are(screen: Screen, api: Api) -> None:
    api.deployment.gemini.add_fault("block", title_contains="Neptune")
    [topic] = (await api.submit("Neptune"))["topics"]
    await api.ended(topic["id"], as_="failed")
    await screen.open("/topics?search=neptune")
    await expect(screen.row("Neptune").locator(".status")).to_have_text("Failed")
    await screen.is_live()
    api.deployment.gemini.forget_faults()
    await api.ask("POST", f"/topics/{topic['id']}/retry")
    await expect(screen.row("Neptune").locator(".status")).to_have_text("Completed")


async def test_selected_rows_are_deleted_after_a_question_with_their_number(screen: Screen, api: Api) -> None:
    await _completed(api, *(f"Uranus {n}" for n in range(4)))
    await screen.open("/topics?search=uranus&sort_by=title&sort_order=asc")
    await screen.page.get_by_label("Select Uranus 0").check()
    await screen.page.get_by_label("Select Uranus 2").click(modifiers=["Shift"])
    await expect(screen.text("3 topics selected")).to_be_visible()
    await screen.button("Delete", exact=True).click()
    await screen.page.get_by_role("dialog").get_by_role("button", name="Delete 3 topics").click()
    await expect(screen.text("3 topics deleted.")).to_be_visible()
    await expect(screen.page.locator("tr.is-removed")).to_have_count(3)
    await screen.page.reload()
    await expect(screen.page.locator("tbody tr")).to_have_count(1)
