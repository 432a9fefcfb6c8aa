"""From a title to its card, and from a failure to a retry, on the page alone."""

from browser.screen import Screen
from integration.api import Api
from playwright.async_api import FilePayload, expect


async def test_a_submitted_title_is_completed_without_a_reload(screen: Screen) -> None:
    await screen.submit("Tidal locking", "Tidal locking", "  ")
    await expect(screen.text("1 topic queued, 1 skipped.")).to_be_visible()
    await expect(screen.row("Tidal locking")).to_contain_text("queued, attempt 1")
    await expect(screen.row("Tidal locking").locator(".status")).to_have_text("Completed")


async def test_each_title_says_why_it_was_skipped(screen: Screen) -> None:
    await screen.submit("Orbital resonance")
    await expect(screen.row("Orbital resonance").locator(".status")).to_have_text("Completed")
    await screen.submit("Orbital resonance")
    await expect(screen.row("Orbital resonance")).to_contain_text("skipped: it is done already")


async def test_a_line_that_is_too_long_is_named_and_nothing_is_sent(screen: Screen) -> None:
    await screen.submit("Short", "x" * 501)
    await expect(screen.text("Line 2 has 501 characters; a title has at most 500.")).to_be_visible()
    await expect(screen.page.get_by_label("Titles, one a line")).to_be_focused()
    await expect(screen.page.locator(".summary")).to_have_count(0)


async def test_more_than_500_titles_are_several_requests_and_files_are_taken(screen: Screen) -> None:
    titles = "\n".join(f"Moon {n}" for n in range(501))
    await screen.open("/submit/topics")
    file = FilePayload(name="moons.txt", mimeType="text/plain", buffer=titles.encode())
    await screen.page.locator("#file").set_input_files(file)
    await expect(screen.text("501 titles. At most 500 a request: these are 2 requests")).to_be_visible()
    await screen.button("Submit").click()
    await expect(screen.text("501 topics queued, 0 skipped.")).to_be_visible()


async def test_a_failed_topic_is_retried_with_one_press_and_the_bar_tells_of_it(screen: Screen, api: Api) -> None:
    api.deployment.gemini.add_fault("block", title_contains="Forbidden moon")
    await screen.submit("Forbidden moon")
    await expect(screen.row("Forbidden moon").locator(".status")).to_have_text("Failed")
    await expect(screen.page.locator(".bar")).to_contain_text("failed")
    api.deployment.gemini.forget_faults()
    await screen.link("Failures", exact=True).click()
    await screen.button("Retry Forbidden moon").click()
    await expect(screen.text("“Forbidden moon” is queued again: attempt 2.")).to_be_visible()
    await expect(screen.link("Forbidden moon")).to_have_count(0)


async def test_failures_are_dismissed_from_the_bar(screen: Screen, api: Api) -> None:
    api.deployment.gemini.add_fault("block", title_contains="Unseen moon")
    [topic] = (await api.submit("Unseen moon"))["topics"]
    await api.ended(topic["id"], as_="failed")
    await screen.open()
    await screen.button("Mark failures as seen").click()
    await expect(screen.text("All failures so far are marked as seen.")).to_be_visible()
    await expect(screen.page.locator(".bar")).to_be_hidden()


async def test_a_topic_shows_its_card_its_history_and_what_comes_next(screen: Screen, api: Api) -> None:
    [topic] = (await api.submit("Roche limit"))["topics"]
    await screen.open(f"/topics/{topic['id']}")
    await expect(screen.heading).to_have_text("Roche limit")
    await expect(screen.text("Attempt 1 is completed.")).to_be_visible()
    await expect(screen.text("Learning objectives")).to_be_visible()
    await expect(screen.page.locator(".timeline")).to_contain_text("1 try")
    await screen.button("Generate again").click()
    await screen.page.get_by_role("dialog").get_by_role("button", name="Generate again").click()
    await expect(screen.text("Attempt 2 is completed.")).to_be_visible()
    await expect(screen.page.locator(".timeline h3").first).to_contain_text("Attempt 2")
