"""`topicflow up` with a Gemini key and the simulator as its base URL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.local_mode import LocalMode
from eventually import eventually
from integration.test_gemini_endpoint import READ_BY_GOOGLE_GENAI
from servers import GeminiSimulator

TITLES = [f"Beside other programs {n}" for n in range(10)]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[GeminiSimulator]:
    server = GeminiSimulator(tmp_path)
    server.start()
    yield server
    server.end()


@pytest.fixture
def up(tmp_path: Path, simulator: GeminiSimulator) -> Iterator[LocalMode]:
    titles = tmp_path / "topics.txt"
    titles.write_text("\n".join(TITLES))
    nonsense = {**READ_BY_GOOGLE_GENAI, "GOOGLE_GEMINI_BASE_URL": simulator.url + "/v1beta"}
    local_mode = LocalMode(tmp_path, "--submit", str(titles), port=None, GEMINI_API_KEY="a-key", **nonsense)
    yield local_mode
    local_mode.end()


@pytest.mark.slow
async def test_variables_of_other_programs_do_not_prevent_cards(up: LocalMode, simulator: GeminiSimulator) -> None:
    await up.ready()
    await eventually(lambda: f"{len(TITLES)} of {len(TITLES)} completed\n" in up.out, within=30)
    assert simulator.calls["titles"] == dict.fromkeys(TITLES, 1)


async def test_an_unknown_model_is_shown_with_its_url(tmp_path: Path, simulator: GeminiSimulator) -> None:
    settings = {"GEMINI_API_KEY": "a-key", "GEMINI_MODEL": "gemini-2.0-flash", "GOOGLE_GEMINI_BASE_URL": simulator.url}
    local_mode = LocalMode(tmp_path, port=None, **settings)
    try:
        await local_mode.ready()
        missing = f"no such model at {simulator.url}/v1beta/models/gemini-2.0-flash:generateContent (404)"
        await eventually(lambda: missing in "".join(local_mode.run("status").out.split("\n")), within=30)
        await eventually(lambda: "gemini-2.0-flash was shut down on 2026-06-01" in local_mode.out, within=10)
    finally:
        local_mode.end()
