"""What provisioning finds on a broker: what is missing or otherwise than it should be, and whose positions are lost."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from shared.errors import PositionsLost

PROVISION = "`topicflow provision` looks and says what can be done"


@dataclass(frozen=True, slots=True)
class Step:
    """`text`: what is to be done, in the imperative; `do` answers whether it did it: somebody else may have."""

    text: str
    do: Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Lost:
    """A group without a position in a stream that has had records: starting over would pay for all of them again."""

    group: str
    stream: str


@dataclass(frozen=True, slots=True)
class ProvisioningPlan:
    """`streams` are made before `groups`, and both before `changes` of what was there; `remarks`: what only a person
    can do, or should know."""

    streams: Sequence[Step] = ()
    groups: Sequence[Step] = ()
    changes: Sequence[Step] = ()
    lost: Sequence[Lost] = ()
    remarks: Sequence[str] = ()


async def make(plan: ProvisioningPlan) -> list[str]:
    """What is missing and nothing else; says what it made. Raises PositionsLost when that is done."""
    made = []
    for steps in (plan.streams, plan.groups):
        did = await asyncio.gather(*(step.do() for step in steps))
        made += [step.text for step, it_did in zip(steps, did, strict=True) if it_did]
    if plan.lost:
        groups = [lost.group for lost in plan.lost]
        where = ", ".join(f"{lost.group} in {lost.stream}" for lost in plan.lost)
        raise PositionsLost(
            f"no position any more: {where}. Starting over would pay for everything again. {PROVISION}", groups
        )
    return made
