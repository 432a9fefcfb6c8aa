"""The simulator of Gemini as a process: start and stop, duration of calls, rate limit."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import httpx
import httpx2
import pytest
from eventually import eventually
from google import genai
from google.genai import types
from integration.simulator import MODEL, A, Article, B, C, ask, connected, ids, refusal
from servers import GeminiSimulator


def start(*arguments: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
    """Starts the server on a free port; returns its process and address once it is ready."""
    command = [sys.executable, "-m", "simulators.gemini", "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | environment)
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("simulator for Gemini at http://127.0.0.1:"), line
    assert line.endswith(" (simulated answers)\n")
    return process, line.split()[4]


def stop(process: subprocess.Popen[str]) -> str:
    """Terminates the server and returns its output after the first line."""
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=5)[1]


async def test_calls_take_the_configured_time_concurrently(gemini: genai.Client, simulator: GeminiSimulator) -> None:
    simulator.take(0.4)
    began = time.monotonic()
    await asyncio.gather(*(ask(gemini, A) for _ in range(10)))
    assert 0.4 <= time.monotonic() - began < 3
    calls = simulator.calls
    assert (calls["calls"], calls["most_in_flight"], calls["in_flight"]) == (10, 10, 0)
    assert simulator.http.delete("/simulator/calls").json() == simulator.calls
    assert simulator.calls["calls"] == 0


async def test_the_simulator_lists_the_titles_of_the_latest_calls(
    gemini: genai.Client, simulator: GeminiSimulator
) -> None:
    await ask(gemini, A, B)
    await ask(gemini, C)
    simulator.add_fault("503")
    await refusal(gemini, B)
    assert simulator.calls["latest"] == [[A, B], [C], [B]]
    for _ in range(50):
        await refusal(gemini, A)
    assert simulator.calls["latest"] == [[A]] * 50


async def test_calls_above_the_limit_are_over_quota_until_it_is_lifted(
    gemini: genai.Client, simulator: GeminiSimulator
) -> None:
    simulator.limit(2, seconds=600)
    assert [ids(await ask(gemini, A)) for _ in range(2)] == [["t0"]] * 2
    limited = await refusal(gemini, A)
    assert limited.code == 429
    [_, retry] = limited.details["error"]["details"]
    assert 500 < float(retry["retryDelay"].removesuffix("s")) <= 600
    simulator.lift_limit()
    for _ in range(3):
        assert ids(await ask(gemini, A)) == ["t0"]
    assert simulator.calls["by_status"] == {"429": 1, "200": 5}


async def test_a_limit_lets_calls_through_again_after_its_time(
    gemini: genai.Client, simulator: GeminiSimulator
) -> None:
    simulator.limit(1, seconds=0.5)
    assert ids(await ask(gemini, A)) == ["t0"]
    assert (await refusal(gemini, A)).code == 429
    await asyncio.sleep(0.5)
    assert ids(await ask(gemini, A)) == ["t0"]


def test_an_invalid_duration_is_refused(simulator: GeminiSimulator) -> None:
    for nonsense in ('{"seconds": -1}', '{"seconds": NaN}', "{}", "7", "{"):
        answer = simulator.http.put(
            "/simulator/seconds", content=nonsense, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 422


async def test_a_stop_does_not_wait_for_sleeping_calls() -> None:
    process, url = start(SIMULATOR_SECONDS="600")
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http, connected(url, seconds=60) as gemini:

        async def is_under_way() -> bool:
            return bool((await http.get("/simulator/calls")).json()["in_flight"])

        config = types.GenerateContentConfig(response_json_schema=Article.model_json_schema())
        call = asyncio.create_task(gemini.aio.models.generate_content(model=MODEL, contents="{}", config=config))
        await eventually(is_under_way, within=5)
        began = time.monotonic()
        assert await asyncio.to_thread(stop, process) == ""
        assert time.monotonic() - began < 3
        with pytest.raises(httpx2.TransportError):
            await call


@pytest.mark.parametrize("arguments", [("--seconds", "nan"), ("--seconds", "-1"), ("--port", "70000")])
def test_an_invalid_setting_stops_it_at_once(arguments: tuple[str, str]) -> None:
    command = [sys.executable, "-m", "simulators.gemini", "--port", "0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
