"""Renders the display of `topicflow up`."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from topicflow.actions.system_state import SystemState
from topicflow.views.progress import ProgressLine
from topicflow.views.sending import Sending
from topicflow.views.state_view import counts_row, facts, gemini


@dataclass(frozen=True, slots=True)
class UpView:
    url: str
    logs: Path
    simulated: bool
    state: SystemState | None = None
    progress: ProgressLine | Sending | None = None

    @property
    def line(self) -> str:
        if self.progress and not self.progress.is_over:
            return self.progress.full_line
        return self.state.line if self.state else "the API does not answer"

    @property
    def panel(self) -> RenderableType:
        extra = {"Gemini": gemini(self.simulated), "Logs": Text(str(self.logs))}
        parts: list[RenderableType] = [Text(self.url, style="bold"), Text()]
        parts.append(counts_row(self.state) if self.state else Text("The API does not answer", style="red"))
        if self.progress and not self.progress.is_over:
            parts.append(self.progress.view)
        parts += [Text(), facts(self.state, extra) if self.state else Text(f"Logs  {self.logs}")]
        return Panel(
            Group(*parts),
            title="topicflow",
            title_align="left",
            subtitle="Ctrl-C stops",
            subtitle_align="left",
            border_style="dim",
        )
