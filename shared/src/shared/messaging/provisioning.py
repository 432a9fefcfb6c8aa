"""What provisioning finds on a broker: missing or differing streams and groups, and groups that lost their
positions."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from shared.errors import PositionsLost

PROVISION = "`topicflow provision` inspects this and says what can be done"


@dataclass(frozen=True, slots=True)
class Step:
    """`text`: the action, in the imperative. `do` returns whether it did it; another process may have been faster."""

    text: str
    do: Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Lost:
    """A group without a position in a stream that has had records. Starting over would pay for all of them again."""

    group: str
    stream: str


@dataclass(frozen=True, slots=True)
class ProvisioningPlan:
    """`streams` are created before `groups`, and both before `changes` to existing ones; `remarks`: what only an
    operator can do or should know."""

    streams: Sequence[Step] = ()
    groups: Sequence[Step] = ()
    changes: Sequence[Step] = ()
    lost: Sequence[Lost] = ()
    remarks: Sequence[str] = ()


async def make(plan: ProvisioningPlan) -> list[str]:
    """Creates what is missing, and nothing else; returns what it created. Raises PositionsLost afterwards."""
    made = []
    for steps in (plan.streams, plan.groups):
        did = await asyncio.gather(*(step.do() for step in steps))
        made += [step.text for step, it_did in zip(steps, did, strict=True) if it_did]
    if plan.lost:
        groups = [lost.group for lost in plan.lost]
        where = ", ".join(f"{lost.group} in {lost.stream}" for lost in plan.lost)
        raise PositionsLost(
            f"positions lost: {where}. Starting over would pay for everything again. {PROVISION}", groups
        )
    return made
