"""The client without `async`: the same calls, and nothing left behind."""

import inspect
import threading
from collections.abc import Iterator

import pytest
from eventually import eventually
from servers.scripted_api import ScriptedApi

from topicflow.client import AsyncClient, Client, NotFound, Snapshot

OF_COMMANDS_ONLY = {"health", "missing", "post_at_length", "post_patiently", "stream"}


@pytest.fixture
def client(scripted: ScriptedApi) -> Iterator[Client]:
    with Client(scripted.url) as client:
        yield client


def _threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if "portal" in thread.name}


def test_submitting_waiting_and_reading(scripted: ScriptedApi, client: Client) -> None:
    submitted = client.submit_topics(["Raft", "Paxos"])
    scripted.end(*(topic.id for topic in submitted.topics))
    assert [topic.status for topic in client.wait_for_topics(submitted.topics)] == ["completed", "completed"]
    assert {state.name for state in client.as_they_end(submitted.topics)} == {"Raft", "Paxos"}
    assert client.topic("Raft").status == "completed"
    assert [topic.title for topic in client.topics(status="completed")] == ["Raft", "Paxos"]
    assert client.get("/topics", limit=1).json()["total_count"] == 2


def test_errors_are_those_of_the_async_client(client: Client) -> None:
    with pytest.raises(NotFound, match="no such topic"):
        client.topic("Raft")
    with pytest.raises(TimeoutError):
        client.wait_for_topics(client.submit_topics(["Raft"]).topics, timeout=0.1)


async def test_a_loop_that_is_left_half_way_closes_its_stream(scripted: ScriptedApi, client: Client) -> None:
    for event in client.events():
        assert isinstance(event, Snapshot)
        break
    await eventually(lambda: scripted.open_streams == 0, within=5)


async def test_leaving_the_client_ends_iterators_that_are_still_open(scripted: ScriptedApi) -> None:
    with Client(scripted.url) as client:
        submitted = client.submit_topics(["Raft"])
        progress, events = client.follow(submitted.topics), client.events()
        next(progress)
        next(events)
    assert not _threads()
    await eventually(lambda: scripted.open_streams == 0, within=5)
    with pytest.raises(RuntimeError, match="not open"):
        next(events)
    assert list(events) == []


async def test_an_interrupt_ends_the_call_and_the_client(
    scripted: ScriptedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ctrl-C does while a call waits."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    def program() -> None:
        with Client(scripted.url) as client:
            events = client.events()
            next(events)
            with monkeypatch.context() as patch:
                patch.setattr("concurrent.futures.Future.result", interrupted)
                next(events)

    with pytest.raises(KeyboardInterrupt):
        program()
    assert not _threads()
    await eventually(lambda: scripted.open_streams == 0, within=5)


def test_a_client_outside_of_with_says_so() -> None:
    with pytest.raises(RuntimeError, match="use it in `with Client"):
        Client().topic("Raft")


def test_it_has_every_call_of_the_async_client_with_its_arguments() -> None:
    calls = {
        name: call
        for name, call in inspect.getmembers(AsyncClient, inspect.isfunction)
        if not name.startswith("_") and name not in OF_COMMANDS_ONLY
    }
    assert len(calls) > 15
    for name, call in calls.items():
        assert inspect.signature(getattr(Client, name)).parameters.keys() == inspect.signature(call).parameters.keys()
        assert getattr(Client, name).__doc__ == call.__doc__


async def test_leaving_the_client_ends_the_loop_of_another_thread(scripted: ScriptedApi) -> None:
    seen: list[object] = []
    with Client(scripted.url) as client:
        other = threading.Thread(target=lambda: seen.extend(client.events()))
        other.start()
        await eventually(lambda: scripted.open_streams == 1, within=5)
    other.join(5)
    assert not other.is_alive()
    assert [type(event) for event in seen] == [Snapshot]
