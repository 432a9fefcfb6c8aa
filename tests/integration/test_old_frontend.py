"""The status bar of the old frontend, on a page of another port, in a real browser."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from integration.keyed import Keyed
from servers import Stacks, free_port

CHROMIUM = shutil.which("chromium")
PAGE = Path(__file__).parent / "old_frontend.html"
PORT = free_port()

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="there is no chromium here")]


@pytest.fixture
async def keyed(stacks: Stacks, tmp_path: Path) -> AsyncIterator[Keyed]:
    """Its page is served on 127.0.0.1:PORT, which is allowed."""
    serving = ThreadingHTTPServer(("127.0.0.1", PORT), partial(SimpleHTTPRequestHandler, directory=str(PAGE.parent)))
    Thread(target=serving.serve_forever, daemon=True).start()
    with stacks.shared(tmp_path) as stack:
        keyed = await asyncio.to_thread(Keyed, stack, tmp_path, TOPICFLOW_ALLOWED_ORIGINS=f"http://127.0.0.1:{PORT}")
        async with keyed.called_from_elsewhere(), keyed.called_locally():
            yield keyed
        await asyncio.to_thread(keyed.end)
    serving.shutdown()
    serving.server_close()


async def shown(host: str, api_port: int, key: str, profile: Path) -> str:
    """The text of the status bar after some seconds of polling."""
    url = f"http://{host}:{PORT}/{PAGE.name}?api=http://127.0.0.1:{api_port}&key={key}"
    options = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={profile}",
        "--virtual-time-budget=3000",
    )
    browser = await asyncio.create_subprocess_exec(
        *(str(CHROMIUM), *options, "--dump-dom", url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await asyncio.wait_for(browser.communicate(), 90)
    found = re.search(r'<div id="bar">([^<]*)<', out.decode())
    assert found, out
    return found[1]


async def test_it_polls_from_an_allowed_page_with_and_without_a_key_and_from_no_other(
    keyed: Keyed, tmp_path: Path
) -> None:
    local, beyond = keyed.local.api_port, keyed.open.api_port
    assert await shown("127.0.0.1", local, "", tmp_path) == "0 pending, 0 completed"
    assert await shown("localhost", local, "", tmp_path) == "blocked"
    assert await shown("127.0.0.1", beyond, keyed.reader, tmp_path) == "0 pending, 0 completed"
    assert await shown("127.0.0.1", beyond, "tf_unknown", tmp_path) == "refused: 401"
