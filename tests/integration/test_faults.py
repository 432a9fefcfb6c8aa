"""Every fault of Gemini met by a running worker: what becomes of five titles that share a call, what is paid.

A fault is about one of them, the victim, or about all; the others, A to D, are completed whatever it is.
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
OUTAGE = f"{TOGETHER} ? …"  # refused together, and when one tried it


@dataclass(frozen=True)
class Row:
    """`calls`: which titles each had; `?` is any one, `…` is one that tries and then the others, each once.

    `waits`: for what the victim is shown to wait; `error`: its code and how its message begins, None: completed;
    `wasted`: why shares of calls were paid in vain, and how many; `probes`: how many free looks there may be.
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
    """Whenever the victim is asked for."""
    return (fault(kind, title_contains="victim", **scope),)


def outage(kind: str, reason: str, **scope: Any) -> Row:
    return Row((fault(kind, times=2, **scope),), OUTAGE, waits=reason)


def doubtful(kind: str, code: str, says: str, **scope: Any) -> list[Row]:
    """One request's own, one title's own, or an outage where a look at the model fails too."""
    of_all = (*once(kind, **scope), fault("503", times=1))
    return [
        Row(once(kind, **scope), ALONE, probes=(1,)),
        Row(always(kind, **scope), f"{ALONE} v v", "trying again", (code, says), tries=3, probes=(3, 4)),
        Row(of_all, OUTAGE, waits="unavailable", probes=(1,)),
    ]


def blocked(kind: str, reason: str) -> Row:
    error = ("blocked", f"Gemini blocked the request or its answer: {reason}")
    return Row(always(kind, reason=reason), ALONE, error=error, wasted=("blocked", 6))


def unusable(kind: str, wasted: str, says: str, **scope: Any) -> list[Row]:
    """Each try asks again alone, and is told why."""
    error = ("answer_not_usable", says)
    return [
        Row(once(kind, **scope), ALONE, wasted=(wasted, 5)),
        Row(always(kind, **scope), f"{ALONE} v v v v", "trying again", error, tries=3, wasted=(wasted, 10)),
    ]


def spoiled(kind: str, wasted: str, says: str) -> list[Row]:
    """One item of an answer; its neighbours are taken."""
    error = ("answer_not_usable", says)
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
    """One of each, with short pauses and a file of keys."""
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
async def test_each_ends_as_it_should_and_costs_what_it_must(quick: Deployment, row: Row) -> None:
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
    told = await outcomes(quick, [victim, *others])
    calls = gemini.calls
    assert_called([name_of(asked) for asked in calls["latest"]], row.calls)
    assert calls["probes"] in row.probes
    assert (seen["tries"], seen["waiting_for"]) == (row.tries, None)
    assert_error(seen, told[victim], row)
    assert_waited(told[victim], row)
    shares = [share["wasted"] for events in told.values() for event in events for share in event["usage"]]
    assert Counter(filter(None, shares)) == Counter(dict([row.wasted] if row.wasted else []))


def test_no_fault_is_left_out() -> None:
    assert {fault["fault"] for row in ROWS for fault in row.faults} == set(get_args(Kind))


def name_of(titles: list[str]) -> str:
    return "".join(sorted(title.split()[-1][0] for title in titles))


def assert_called(calls: list[str], expected: str) -> None:
    wanted = expected.split()
    if wanted[-1] == "…":
        first = len(wanted) - 1
        calls, rest = calls[:first], calls[first:]
        assert len(rest[0]) == 1
        assert sorted("".join(rest)) == sorted(TOGETHER)
        wanted = wanted[:-1]
    assert calls[0] == wanted[0] or len(wanted[0]) == 1
    if "?" in wanted:
        assert [len(call) for call in calls] == [len(call) for call in wanted]
    else:
        assert Counter(calls) == Counter(wanted)


def assert_error(seen: Json, events: list[Json], row: Row) -> None:
    errors = [event["error"] for event in events if "error" in event]
    if row.error is None:
        assert (errors, seen["error_message"]) == ([], None)
        return
    [error], (code, says) = errors, row.error
    assert error["code"] == code
    assert error["message"] == seen["error_message"]
    assert error["message"].startswith(says)


def assert_waited(events: list[Json], row: Row) -> None:
    parked = [event for event in events if "reason" in event]
    assert {event["reason"].split(":")[0] for event in parked} == ({row.waits} if row.waits else set())
    if parked and (asked_for := row.faults[0].get("retry_after_seconds")):
        until, said = (datetime.fromisoformat(parked[0][name]) for name in ("until", "time"))
        assert until - said > timedelta(seconds=asked_for) / 2  # the longest pause is a quarter of it


async def waits(api: Api, reason: str | None) -> None:
    async def does() -> bool:
        waiting = (await api.get("/processing-status"))["waiting_for"]
        return bool((waiting and waiting["reason"]) == reason)

    await eventually(does, within=10)


async def outcomes(quick: Deployment, ids: list[str]) -> dict[str, list[Json]]:
    """What the worker said of each, with when it did."""
    told: dict[str, list[Json]] = {id_: [] for id_ in ids}
    async for entry in entries(quick.stack, "submission-outcomes"):
        event = json.loads(entry.data)
        if event["id"] in told:
            told[event["id"]].append(event | {"time": entry.headers["ce_time"]})
    return told
