"""Every fault of Gemini with a running worker: the outcome of five titles that share a call, and the cost.

A fault affects one of them, the victim, or all; the others, A to D, are completed in every case.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any, get_args

import pytest
from eventually import eventually
from integration.api import Api, Json
from servers import Deployment, GeminiSimulator, Stacks
from servers.raw_streams import entries

from shared.streams import PROJECTOR
from simulators.gemini.faults import Kind

NUMBER = count(1)
TIMEOUT = 1.5  # seconds
TOGETHER = "ABCDv"
ALONE = f"{TOGETHER} A B C D v"
OUTAGE = f"{TOGETHER} ? …"  # the shared call is refused, and so is the first trial


@dataclass(frozen=True)
class Row:
    """`calls`: the titles of each; `?` is any one, `…` is one trial call and then the others, each once.

    `waits`: the reason for which the victim waits; `error`: its code and the start of its message, None: completed;
    `wasted`: the reason and number of wasted shares of calls; `probes`: the allowed numbers of free probes.
    """

    faults: tuple[Json, ...]
    calls: str
    waits: str = ""
    error: tuple[str, str] | None = None
    tries: int = 0
    wasted: tuple[str, int] | None = None
    probes: tuple[int, ...] = (0,)
    batch_size: int = 5

    def __str__(self) -> str:
        return ", then ".join(" ".join(map(str, fault.values())) for fault in self.faults)


def fault(kind: str, **scope: Any) -> Json:
    return {"fault": kind} | scope


def once(kind: str, **scope: Any) -> tuple[Json, ...]:
    return (fault(kind, times=1, **scope),)


def always(kind: str, **scope: Any) -> tuple[Json, ...]:
    """In every call with the victim."""
    return (fault(kind, title_contains="victim", **scope),)


def outage(kind: str, reason: str, **scope: Any) -> Row:
    return Row((fault(kind, times=2, **scope),), OUTAGE, waits=reason)


def doubtful(kind: str, code: str, message: str, **scope: Any) -> list[Row]:
    """A fault of one request, of one title, or an outage if a probe of the model fails too."""
    of_all = (*once(kind, **scope), fault("503", times=1))
    return [
        Row(once(kind, **scope), ALONE, probes=(1,)),
        Row(always(kind, **scope), f"{ALONE} v v", "trying again", (code, message), tries=3, probes=(3, 4)),
        Row(of_all, OUTAGE, waits="unavailable", probes=(1,)),
    ]


def blocked(kind: str, reason: str) -> Row:
    error = ("blocked", f"Gemini blocked the request or its answer: {reason}")
    return Row(always(kind, reason=reason), ALONE, error=error, wasted=("blocked", 6))


def unusable(kind: str, wasted: str, message: str, **scope: Any) -> list[Row]:
    """Each try is one more call with only this title and the reason."""
    error = ("answer_not_usable", message)
    return [
        Row(once(kind, **scope), ALONE, wasted=(wasted, 5)),
        Row(always(kind, **scope), f"{ALONE} v v v v", "trying again", error, tries=3, wasted=(wasted, 10)),
    ]


def spoiled(kind: str, wasted: str, message: str) -> list[Row]:
    """A fault of one item of an answer; the other items are used."""
    error = ("answer_not_usable", message)
    return [
        Row(once(kind, title_contains="victim"), f"{TOGETHER} v", wasted=(wasted, 1)),
        Row(always(kind), f"{TOGETHER} v v v v v", "trying again", error, tries=3, wasted=(wasted, 6)),
    ]


MISSING = "the answer has no readable JSON object"
ROWS = [
    outage("429", "rate_limited", retry_after_seconds=0.4),
    outage("429", "rate_limited", retry_after_seconds=0.4, in_header=True),
    Row(once("429", of_the_day=True), f"{TOGETHER} …", waits="daily_quota"),
    outage("503", "unavailable"),
    outage("404", "unavailable"),
    outage("401", "key_refused"),
    outage("403", "key_refused"),
    outage("bad_key", "key_refused"),
    *doubtful("500", "gemini_500", "Gemini answered 500 INTERNAL"),
    *doubtful("504", "gemini_504", "Gemini answered 504 DEADLINE_EXCEEDED"),
    *doubtful("hang", "timeout", "Gemini did not answer within"),
    *doubtful("reset", "connection_lost", "the connection to Gemini was lost"),
    *doubtful("page", "unreadable_answer", "the response in place of Gemini's"),
    *doubtful("page", "gemini_408", "Gemini answered 408", status=408),
    Row(once("page", status=499), ALONE, probes=(1,)),
    *(outage("page", "unavailable", status=status) for status in (302, 407, 502)),
    Row(once("400"), ALONE),
    Row(always("400"), ALONE, error=("gemini_400", "Gemini answered 400 INVALID_ARGUMENT")),
    Row(once("block"), ALONE, wasted=("blocked", 5)),
    *(blocked("block", reason) for reason in ("SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "OTHER")),
    *(blocked("finish", reason) for reason in ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII")),
    *unusable("finish", "cut_off", "the answer was cut off", reason="MAX_TOKENS"),
    *unusable("finish", "missing", MISSING, reason="OTHER"),
    *unusable("empty", "missing", MISSING),
    *spoiled("bad_item", "invalid", ""),
    *spoiled("missing_item", "missing", MISSING),
    Row(once("bad_json"), f"{TOGETHER} ? ? ?", wasted=("missing", 3)),  # the first half can be read
    Row(
        always("bad_json"),
        "A B C D v v v v v v",
        "trying again",
        ("answer_not_usable", ""),
        tries=3,
        wasted=("missing", 6),
        batch_size=1,
    ),
    Row(once("fence"), TOGETHER),
    Row(once("chat"), TOGETHER),
    Row(once("object"), TOGETHER),
    Row(once("slow", seconds=0.3), TOGETHER),
]


@pytest.fixture(scope="module")
def quick(stacks: Stacks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One replica of each service, with short pauses and a file of keys."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "keys").write_text("key-0")
    with stacks.shared(folder) as stack:
        gemini = GeminiSimulator(folder)
        gemini.start()
        deployed = Deployment(folder, stack, gemini)
        for service in ("api", PROJECTOR):
            deployed.add(service)
        deployed.add(
            "topic-worker",
            GEMINI_API_KEY="",
            GEMINI_API_KEYS_FILE=str(folder / "keys"),
            GEMINI_TIMEOUT_SECONDS=str(TIMEOUT),
            TOPICFLOW_LONGEST_PAUSE_SECONDS="0.1",
        )
        yield deployed
        deployed.end()


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_each_fault_has_the_expected_outcome_and_cost(quick: Deployment, row: Row) -> None:
    name, gemini = f"Fault {next(NUMBER)}", quick.gemini
    titles = [f"{name} {who}" for who in ("victim", "A", "B", "C", "D")]
    gemini.forget_faults()
    async with quick.client() as client:
        api = await Api(quick, client).ready()
        gemini.forget_calls()
        gemini.play(*row.faults)
        topics = (await api.submit(*titles, batch_size=row.batch_size))["topics"]
        if row.waits == "daily_quota":
            await waits(api, row.waits)
            (quick.folder / "keys").write_text(name)
        victim, *others = [topic["id"] for topic in topics]
        [seen] = await api.ended(victim, as_="failed" if row.error else "completed")
        await api.ended(*others)
        await waits(api, None)
    events_of = await outcomes(quick, [victim, *others])
    calls = gemini.calls
    assert_called([name_of(titles_of_call) for titles_of_call in calls["latest"]], row.calls)
    assert calls["probes"] in row.probes
    assert (seen["tries"], seen["waiting_for"]) == (row.tries, None)
    assert_error(seen, events_of[victim], row)
    assert_waited(events_of[victim], row)
    shares = [share["wasted"] for events in events_of.values() for event in events for share in event["usage"]]
    assert Counter(filter(None, shares)) == Counter(dict([row.wasted] if row.wasted else []))


def test_every_fault_is_tested() -> None:
    assert {fault["fault"] for row in ROWS for fault in row.faults} == set(get_args(Kind))


def name_of(titles: list[str]) -> str:
    return "".join(sorted(title.split()[-1][0] for title in titles))


def assert_called(calls: list[str], expected: str) -> None:
    expected_calls = expected.split()
    if expected_calls[-1] == "…":
        first = len(expected_calls) - 1
        calls, rest = calls[:first], calls[first:]
        assert len(rest[0]) == 1
        assert sorted("".join(rest)) == sorted(TOGETHER)
        expected_calls = expected_calls[:-1]
    assert calls[0] == expected_calls[0] or len(expected_calls[0]) == 1
    if "?" in expected_calls:
        assert [len(call) for call in calls] == [len(call) for call in expected_calls]
    else:
        assert Counter(calls) == Counter(expected_calls)


def assert_error(seen: Json, events: list[Json], row: Row) -> None:
    errors = [event["error"] for event in events if "error" in event]
    if row.error is None:
        assert (errors, seen["error_message"]) == ([], None)
        return
    [error], (code, message) = errors, row.error
    assert error["code"] == code
    assert error["message"] == seen["error_message"]
    assert error["message"].startswith(message)


def assert_waited(events: list[Json], row: Row) -> None:
    parked = [event for event in events if "reason" in event]
    assert {event["reason"].split(":")[0] for event in parked} == ({row.waits} if row.waits else set())
    if parked and (retry_after := row.faults[0].get("retry_after_seconds")):
        until, reported_at = (datetime.fromisoformat(parked[0][name]) for name in ("until", "time"))
        assert until - reported_at > timedelta(seconds=retry_after) / 2  # the longest pause is a quarter of it


async def waits(api: Api, reason: str | None) -> None:
    async def does() -> bool:
        waiting = (await api.get("/processing-status"))["waiting_for"]
        return bool((waiting and waiting["reason"]) == reason)

    await eventually(does, within=10)


async def outcomes(quick: Deployment, ids: list[str]) -> dict[str, list[Json]]:
    """The outcomes of each, with their times."""
    outcomes_of: dict[str, list[Json]] = {id_: [] for id_ in ids}
    async for entry in entries(quick.stack, "submission-outcomes"):
        event = json.loads(entry.data)
        if event["id"] in outcomes_of:
            outcomes_of[event["id"]].append(event | {"time": entry.headers["ce_time"]})
    return outcomes_of
