"""Renders one topic: its state and its study card. All text is untrusted, so none of it is parsed as markup."""

from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from local_processes.plain_text import one_line, plain
from topicflow.views.facts_table import facts_table, joined, label_of
from topicflow.views.submission_state import heading, summary

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
    parts: list[RenderableType] = [
        heading(topic.get("title", ""), str(topic.get("status"))),
        facts_table(summary(topic, Completed=topic.get("completed_at"))),
    ]
    if isinstance(content, dict):
        parts += [Rule(style="dim"), *_study_card(content)]
    return Group(*parts)


def _study_card(content: dict[str, Any]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if title := content.get("title"):
        parts.append(Text(one_line(title), style="bold"))
    parts += [Text(plain(content.get("description", ""))), Text()]
    parts.append(facts_table({label_of(name): Text(joined(content[name])) for name in _FACTS if content.get(name)}))
    for name in _LISTS:
        if isinstance(items := content.get(name), list) and items:
            bullets = Text("\n".join(f"• {one_line(item)}" for item in items))
            parts += [Text(), Text(label_of(name), style="bold"), Padding(bullets, (0, 0, 0, 2))]
    for name in _GROUPS:
        if isinstance(group := content.get(name), dict) and group:
            rows = facts_table({label_of(key): Text(plain(value)) for key, value in group.items()})
            parts += [Text(), Text(label_of(name), style="bold"), Padding(rows, (0, 0, 0, 2))]
    return parts
