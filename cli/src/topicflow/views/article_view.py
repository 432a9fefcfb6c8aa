"""Renders one article: its state and its annotations. All text is untrusted, so none of it is parsed as markup."""

from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from local_processes.plain_text import plain
from topicflow.views.facts_table import facts_table, joined, label_of
from topicflow.views.submission_state import heading, summary

_FACTS = ("study_type", "keywords", "reader_group", "age_group", "population_group", "model", "prompt_version")


def article_view(article: dict[str, Any]) -> RenderableType:
    result = article.get("result")
    parts: list[RenderableType] = [
        heading(article.get("urn", ""), str(article.get("status"))),
        facts_table(summary(article, Enriched=article.get("enriched_at"))),
    ]
    if isinstance(result, dict):
        parts += [Rule(style="dim"), *_annotations(result)]
    return Group(*parts)


def _annotations(result: dict[str, Any]) -> list[RenderableType]:
    parts: list[RenderableType] = [
        facts_table({label_of(name): Text(joined(result[name])) for name in _FACTS if result.get(name)})
    ]
    evaluation, annotations = result.get("evaluation"), result.get("annotations")
    if isinstance(evaluation, dict):
        rows = facts_table({label_of(name): Text(joined(value)) for name, value in evaluation.items()})
        parts += [Text(), Text("Evaluation", style="bold"), Padding(rows, (0, 0, 0, 2))]
    if isinstance(annotations, dict) and annotations.get("abstract"):
        parts += [Text(), Text("In plain language", style="bold"), Text(plain(annotations["abstract"]))]
    return parts
