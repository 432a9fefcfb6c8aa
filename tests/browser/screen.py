"""A tab of the browser that shows the page, and what its console complains of."""

from typing import Any

from playwright.async_api import ConsoleMessage, Locator, Page, expect

expect.set_options(timeout=20_000)
PHONE = {"width": 360, "height": 740}


class Screen:
    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.faults: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.faults.append(f"a dialog of a script: {dialog.message}"))

    def _on_console(self, message: ConsoleMessage) -> None:
        """Answers of the API that are no success are part of some tests; the browser logs each."""
        is_answer = message.text.startswith("Failed to load resource") and "/assets/" not in message.location["url"]
        if message.type in {"error", "warning"} and not is_answer:
            self.faults.append(f"{message.type}: {message.text}")

    async def open(self, place: str = "/topics") -> "Screen":
        await self.page.goto(f"{self.url}/#{place}")
        await expect(self.heading).not_to_have_text("Loading …")
        return self

    async def another_tab(self, place: str = "/topics") -> "Screen":
        tab = Screen(await self.page.context.new_page(), self.url)
        tab.faults = self.faults
        return await tab.open(place)

    @property
    def heading(self) -> Locator:
        return self.page.locator("main h1")

    def text(self, text: str) -> Locator:
        return self.page.get_by_text(text)

    def button(self, name: str, **options: Any) -> Locator:
        return self.page.get_by_role("button", name=name, **options)

    def link(self, name: str, **options: Any) -> Locator:
        return self.page.get_by_role("link", name=name, **options)

    def row(self, name: str) -> Locator:
        """Of a table."""
        return self.page.locator("tbody tr").filter(has=self.page.get_by_role("link", name=name, exact=True))

    async def submit(self, *titles: str) -> None:
        await self.open("/submit/topics")
        await self.page.get_by_label("Titles, one a line").fill("\n".join(titles))
        await self.button("Submit").click()

    async def search(self, text: str) -> None:
        await self.page.get_by_role("searchbox").fill(text)

    async def is_live(self) -> None:
        await expect(self.page.locator(".connection")).to_have_text("Live")

    async def has_no_horizontal_scroll(self) -> bool:
        wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        return not await self.page.evaluate(wider)
