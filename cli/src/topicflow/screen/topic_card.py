"""Draws one topic: where it stands, and its study card. All of its text is somebody else's: never markup."""

from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from topicflow.screen.facts_table import facts_table
from topicflow.screen.plain_text import one_line, plain
from topicflow.screen.state_picture import STYLES
from topicflow.screen.times import local_time
from topicflow.system_state import waiting_line

_FACTS = (
    "category",
    "subcategory",
    "company",
    "complexity_level",
    "difficulty",
    "estimated_read_time",
    "technologies",
    "tags",
    "related_topics",
)
_LISTS = ("learning_objectives", "prerequisites")
_GROUPS = ("implementation_details", "metrics")


def topic_card(topic: dict[str, Any]) -> RenderableType:
    content = topic.get("content")
    parts: list[RenderableType] = [_heading(topic), facts_table(_standing(topic))]
    if isinstance(content, dict):
        parts += [Rule(style="dim"), *_study_card(content)]
    return Group(*parts)


def _heading(topic: dict[str, Any]) -> Text:
    status = str(topic.get("status"))
    return Text.assemble((one_line(topic.get("title", "")), "bold"), "  ", (one_line(status), STYLES.get(status, "")))


def _standing(topic: dict[str, Any]) -> dict[str, Text]:
    facts = {
        "Id": Text(one_line(topic.get("id", ""))),
        "Attempt": Text(one_line(topic.get("attempt", ""))),
        "Submitted": Text(local_time(topic.get("created_at"))),
        "Completed": Text(local_time(topic.get("completed_at"))),
        "Waiting": Text(waiting_line(topic.get("waiting_for")) or "", style="yellow"),
        "Error": Text(plain(topic.get("error_message") or ""), style="red"),
        "Simulated": Text("a stand-in for Gemini wrote this" if topic.get("simulated") else "", style="magenta"),
    }
    return {label: value for label, value in facts.items() if value.plain}


def _study_card(content: dict[str, Any]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if title := content.get("title"):
        parts.append(Text(one_line(title), style="bold"))
    parts += [Text(plain(content.get("description", ""))), Text()]
    parts.append(facts_table({_label(name): Text(_joined(content[name])) for name in _FACTS if content.get(name)}))
    for name in _LISTS:
        if isinstance(items := content.get(name), list) and items:
            bullets = Text("\n".join(f"• {one_line(item)}" for item in items))
            parts += [Text(), Text(_label(name), style="bold"), Padding(bullets, (0, 0, 0, 2))]
    for name in _GROUPS:
        if isinstance(group := content.get(name), dict) and group:
            rows = facts_table({_label(key): Text(plain(value)) for key, value in group.items()})
            parts += [Text(), Text(_label(name), style="bold"), Padding(rows, (0, 0, 0, 2))]
    return parts


def _label(name: str) -> str:
    return one_line(name).replace("_", " ").capitalize()


def _joined(value: object) -> str:
    return ", ".join(map(one_line, value)) if isinstance(value, list) else plain(value)
