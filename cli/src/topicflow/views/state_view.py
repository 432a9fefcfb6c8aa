"""Renders the state of the system: counts, workers, waiting reason, recent failures. Used by `status` and `up`."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from local_processes.plain_text import one_line
from topicflow.actions.system_state import STATUSES, SystemState, waiting_line
from topicflow.views.facts_table import facts_table
from topicflow.views.times import ago, duration, local_time

STYLES = {"pending": "yellow", "processing": "cyan", "completed": "green", "failed": "red"}
_MIN_LAG_SHOWN = 2.0  # seconds
_MIN_AGE_SHOWN = 30.0  # seconds; one slow call is no backlog


def counts_row(state: SystemState) -> RenderableType:
    row = Table.grid(padding=(0, 3))
    row.add_row(*(_count_text(status, state.count(status)) for status in STATUSES))
    return row


def _count_text(status: str, count: int) -> Text:
    return Text.assemble(
        (f"{count:,}", f"bold {STYLES[status]}" if count else "dim"), (f" {status}", "" if count else "dim")
    )


def facts(state: SystemState, extra: dict[str, Text] | None = None) -> RenderableType:
    """One label and value per line; lines that would say nothing are left out."""
    lines = {**(extra or {}), **_workers(state), **_articles(state)}
    if state.waiting:
        lines["Waiting"] = Text(state.waiting, style="yellow")
    if state.no_room:
        lines["Overload"] = Text(f"new work is refused: {state.no_room}", style="bold red")
    if state.problems:
        lines["Problem"] = Text("\n".join(state.problems), style="yellow")
    if backlog := _backlog(state):
        lines["Backlog"] = Text(backlog, style="yellow")
    if state.lag_seconds is None:
        lines["Data"] = Text("age unknown: the broker does not answer", style="yellow")
    elif state.lag_seconds >= _MIN_LAG_SHOWN:
        lines["Data"] = Text(f"as of {duration(state.lag_seconds)} ago", style="yellow")
    return facts_table(lines)


def gemini(simulated: bool | None) -> Text:
    if simulated:
        return Text("simulated: a simulator generates the cards", style="magenta")
    return Text("real" if simulated is False else "not known yet")


def failures(state: SystemState, limit: int = 10) -> RenderableType | None:
    if not state.failures:
        return None
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold", max_width=50)
    table.add_column(overflow="fold", style="red")
    for failure in state.failures[:limit]:
        cells = (one_line(failure.get(name) or "") for name in ("title", "error_message"))
        table.add_row(Text(local_time(failure.get("created_at"))), *map(Text, cells))
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
    """Outcomes of the enrichers; empty if articles are turned off."""
    if not (worker := state.article_worker):
        return {}
    outcomes = ", ".join(f"{worker.get(outcome, 0):,} {outcome}" for outcome in ("processed", "failed", "skipped"))
    if waiting := waiting_line(worker.get("waiting_for")):
        return {"Articles": Text.assemble(outcomes, (f"; waiting: {waiting}", "yellow"))}
    if not worker.get("running"):
        return {"Articles": Text.assemble(outcomes, ("; no enricher is running", "bold red"))}
    return {"Articles": Text(outcomes)}


def _backlog(state: SystemState) -> str:
    """One line per consumer group whose oldest submission is old."""
    old = {group: lag for group, lag in state.backlogs.items() if (lag.get("oldest_seconds") or 0) >= _MIN_AGE_SHOWN}
    return "\n".join(
        f"{group}: {lag.get('waiting', 0):,} waiting, {lag.get('in_flight', 0):,} in flight, "
        f"the oldest for {duration(lag['oldest_seconds'])}"
        for group, lag in old.items()
    )
