"""The event stream: shared by the tabs, lost and back, and replaced by polling where none comes through."""

import re

from browser.conftest import NewScreen
from browser.screen import Screen
from eventually import eventually
from integration.api import Api
from playwright.async_api import expect
from servers import Deployment

STREAMS = re.compile(r"^topicflow_event_streams (\d+)", re.M)


async def streams(api: Api) -> int:
    found = STREAMS.search((await api.http.get("/metrics")).text)
    assert found
    return int(found[1])


async def test_two_tabs_share_one_stream_and_it_ends_with_the_last(screen: Screen, api: Api) -> None:
    await screen.open()
    await screen.is_live()
    other = await screen.another_tab("/topics?search=other tab")
    await other.is_live()
    assert await streams(api) == 1
    await screen.page.close()
    await api.submit("Seen by the other tab")
    await expect(other.row("Seen by the other tab").locator(".status")).to_have_text("Completed")
    assert await streams(api) == 1
    await other.page.close()

    async def none() -> bool:
        return await streams(api) == 0

    await eventually(none, within=20)


async def test_a_killed_api_is_said_in_words_and_what_was_missed_is_shown_when_it_is_back(
    running: Deployment, new_screen: NewScreen
) -> None:
    async with running.client() as client:
        api = Api(running, client)
        screen = await (await new_screen(running.url)).open()
        await screen.is_live()
        running.services["api-1"].kill()
        await expect(screen.page.locator(".lost")).to_contain_text("Connection lost")
        await expect(screen.page.locator(".lost")).to_contain_text(re.compile(r"What you see is \d+ s old"))
        running.services["api-1"].start()
        await api.answers()
        await expect(screen.text("Connected again.")).to_be_visible()
        await expect(screen.page.locator(".lost")).to_be_hidden()
        await api.submit("After the restart")
        await expect(screen.row("After the restart")).to_be_visible()


async def test_it_polls_and_says_so_where_no_stream_comes_through(screen: Screen, api: Api) -> None:
    await screen.page.add_init_script("delete window.SharedWorker")
    await screen.page.route("**/api/v1/events*", lambda route: route.abort())
    await screen.open("/topics?search=Polled")
    await expect(screen.page.locator(".connection")).to_have_text("Every 5 s")
    await expect(screen.text("No event stream comes through")).to_be_visible()
    await api.submit("Polled moon")
    await expect(screen.row("Polled moon").locator(".status")).to_have_text("Completed")


async def test_lines_of_events_end_where_the_standard_says(screen: Screen) -> None:
    await screen.open()
    read = """async (pieces) => {
        const source = document.querySelector('script[type=module]').src.replace('app.js', 'sse.js');
        const { EventParser } = await import(source);
        const events = [];
        const onEvent = ({ event, data, id }) => events.push([event, data, id]);
        const parser = new EventParser(onEvent, (retry) => events.push(retry));
        pieces.forEach((piece) => parser.push(piece));
        return events;
    }"""
    both = "\N{LINE SEPARATOR} \x85 \x0b"
    pieces = [
        "\ufeffretry: 50\r",
        "\nevent: a\r\n",
        f"data: {both}\rdata:two\n",
        "id: 7\n\n",
        ": ping\n\ndata: x\r\r",
        "data",
    ]
    assert await screen.page.evaluate(read, pieces) == [50, ["a", f"{both}\ntwo", "7"], ["message", "x", "7"]]
