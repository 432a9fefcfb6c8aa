"""Draws where everything stands: counts, worker, what is waited for, recent failures. Shown by `status` and `up`."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from local_processes.plain_text import one_line
from topicflow.actions.system_state import STATUSES, SystemState, waiting_line
from topicflow.views.facts_table import facts_table
from topicflow.views.times import ago, duration, local_time

STYLES = {"pending": "yellow", "processing": "cyan", "completed": "green", "failed": "red"}
_LAG_WORTH_SAYING = 2.0  # seconds
_AGE_WORTH_SAYING = 30.0  # seconds; one slow call is no backlog


def counts_row(state: SystemState) -> RenderableType:
    row = Table.grid(padding=(0, 3))
    row.add_row(*(counted(status, state.count(status)) for status in STATUSES))
    return row


def counted(status: str, count: int) -> Text:
    return Text.assemble(
        (f"{count:,}", f"bold {STYLES[status]}" if count else "dim"), (f" {status}", "" if count else "dim")
    )


def facts(state: SystemState, more: dict[str, Text] | None = None) -> RenderableType:
    """Label and value, a line each; only what is worth saying."""
    lines = {**(more or {}), **_workers(state), **_articles(state)}
    if state.waiting:
        lines["Waiting"] = Text(state.waiting, style="yellow")
    if state.no_room:
        lines["No room"] = Text(f"more work is refused: {state.no_room}", style="bold red")
    if state.problems:
        lines["Problem"] = Text("\n".join(state.problems), style="yellow")
    if backlog := _backlog(state):
        lines["Backlog"] = Text(backlog, style="yellow")
    if state.lag_seconds is None:
        lines["Shown"] = Text("how old this is, is not known: the broker does not answer", style="yellow")
    elif state.lag_seconds >= _LAG_WORTH_SAYING:
        lines["Shown"] = Text(f"as it was {duration(state.lag_seconds)} ago", style="yellow")
    return facts_table(lines)


def gemini(simulated: bool | None) -> Text:
    if simulated:
        return Text("simulated: a simulator writes the cards", style="magenta")
    return Text("real" if simulated is False else "not known yet")


def failures(state: SystemState, most: int = 10) -> RenderableType | None:
    if not state.failures:
        return None
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold", max_width=50)
    table.add_column(overflow="fold", style="red")
    for failure in state.failures[:most]:
        words = (one_line(failure.get(name) or "") for name in ("title", "error_message"))
        table.add_row(Text(local_time(failure.get("created_at"))), *map(Text, words))
    return Group(Text("Recent failures", style="bold"), table)


def _workers(state: SystemState) -> dict[str, Text]:
    if not state.worker_is_running:
        return {"Worker": Text(one_line(state.worker.get("message") or "not running"), style="bold red")}
    lines = [
        f"{one_line(worker.get('instance', '?'))}: {worker.get('in_flight', 0)} in flight, "
        f"seen {ago(worker.get('last_seen'))}"
        for worker in state.workers
    ]
    return {"Workers" if len(lines) > 1 else "Worker": Text("\n".join(lines) or "running")}


def _articles(state: SystemState) -> dict[str, Text]:
    """Where they are worked on."""
    if not (worker := state.article_worker):
        return {}
    ended = ", ".join(f"{worker.get(how, 0):,} {how}" for how in ("processed", "failed", "skipped"))
    if waiting := waiting_line(worker.get("waiting_for")):
        return {"Articles": Text.assemble(ended, (f"; waiting: {waiting}", "yellow"))}
    if not worker.get("running"):
        return {"Articles": Text.assemble(ended, ("; no enricher is running", "bold red"))}
    return {"Articles": Text(ended)}


def _backlog(state: SystemState) -> str:
    """A line for each group whose oldest submission is old."""
    old = {
        name: waits for name, waits in state.backlogs.items() if (waits.get("oldest_seconds") or 0) >= _AGE_WORTH_SAYING
    }
    return "\n".join(
        f"{name}: {waits.get('waiting', 0):,} waiting, {waits.get('in_flight', 0):,} in flight, "
        f"the oldest for {duration(waits['oldest_seconds'])}"
        for name, waits in old.items()
    )
