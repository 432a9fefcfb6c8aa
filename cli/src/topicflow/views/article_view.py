"""Draws one article: where it stands, and what was found out about it. All of its text is somebody else's."""

from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from local_processes.plain_text import plain
from topicflow.views.facts_table import facts_table, joined, labelled
from topicflow.views.submission_state import heading, summary

_FACTS = ("study_type", "keywords", "reader_group", "age_group", "population_group", "model", "prompt_version")


def article_picture(article: dict[str, Any]) -> RenderableType:
    result = article.get("result")
    parts: list[RenderableType] = [
        heading(article.get("urn", ""), str(article.get("status"))),
        facts_table(summary(article, Enriched=article.get("enriched_at"))),
    ]
    if isinstance(result, dict):
        parts += [Rule(style="dim"), *_found_out(result)]
    return Group(*parts)


def _found_out(result: dict[str, Any]) -> list[RenderableType]:
    parts: list[RenderableType] = [
        facts_table({labelled(name): Text(joined(result[name])) for name in _FACTS if result.get(name)})
    ]
    evaluation, annotations = result.get("evaluation"), result.get("annotations")
    if isinstance(evaluation, dict):
        rows = facts_table({labelled(name): Text(joined(value)) for name, value in evaluation.items()})
        parts += [Text(), Text("Evaluation", style="bold"), Padding(rows, (0, 0, 0, 2))]
    if isinstance(annotations, dict) and annotations.get("abstract"):
        parts += [Text(), Text("In plain language", style="bold"), Text(plain(annotations["abstract"]))]
    return parts
