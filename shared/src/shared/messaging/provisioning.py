"""The result of inspecting a broker: missing or differing streams and groups, and groups that lost their positions."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from shared.errors import PositionsLost

PROVISION = "`topicflow provision` shows what can be done"


@dataclass(frozen=True, slots=True)
class Step:
    """`text`: the action, in the imperative. `do` returns False if another process has done it already."""

    text: str
    do: Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Lost:
    """A group without a position in a stream that has had records. Starting over would pay for all of them again."""

    group: str
    stream: str


@dataclass(frozen=True, slots=True)
class ProvisioningPlan:
    """`streams` are created before `groups`, and both before `changes` to existing ones; `remarks`: for the
    operator."""

    streams: Sequence[Step] = ()
    groups: Sequence[Step] = ()
    changes: Sequence[Step] = ()
    lost: Sequence[Lost] = ()
    remarks: Sequence[str] = ()


async def create_missing(plan: ProvisioningPlan) -> list[str]:
    """Creates missing streams and groups, and nothing else; returns what it created. Raises PositionsLost
    afterwards."""
    created = []
    for steps in (plan.streams, plan.groups):
        results = await asyncio.gather(*(step.do() for step in steps))
        created += [step.text for step, is_done in zip(steps, results, strict=True) if is_done]
    if plan.lost:
        groups = [lost.group for lost in plan.lost]
        positions = ", ".join(f"{lost.group} in {lost.stream}" for lost in plan.lost)
        raise PositionsLost(
            f"positions lost: {positions}. Starting over would pay for everything again. {PROVISION}", groups
        )
    return created
