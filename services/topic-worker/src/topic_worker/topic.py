"""The model's answer schema for one title, and the study card built from it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from shared.llm.answers.answer_schema import WORDS, Part, Text, schema_of, shorten

LONGEST_TITLE = 100
LONGEST_DESCRIPTION = 5000


def _as_named(value: object) -> object:
    """`System Design` becomes system_design."""
    return "_".join(value.casefold().split()) if isinstance(value, str) else value


Title = Annotated[Text, Field(max_length=LONGEST_TITLE), shorten(LONGEST_TITLE, WORDS)]
Description = Annotated[Text, Field(max_length=LONGEST_DESCRIPTION), shorten(LONGEST_DESCRIPTION)]
Name = BeforeValidator(_as_named)
Category = Literal[
    "big_tech_companies",
    "databases",
    "system_design",
    "cloud_infrastructure",
    "security",
    "ai_ml",
    "networking",
    "algorithms",
    "messaging_streaming",
]


class Metrics(Part):
    scale: Text
    performance: Text
    reliability: Text
    latency: Text


class ImplementationDetails(Part):
    architecture: Text
    scaling: Text
    storage: Text
    caching: Text
    monitoring: Text


class StudyCard(Part):
    """The fifteen required fields of a study card."""

    title: Title
    description: Description
    category: Annotated[Category, Name]
    subcategory: Text
    company: Text
    technologies: Annotated[list[Text], Field(min_length=3)]
    complexity_level: Annotated[Literal["beginner", "intermediate", "advanced", "expert"], Name]
    tags: Annotated[list[Text], Field(min_length=3)]
    related_topics: Annotated[list[Text], Field(min_length=2, max_length=3)]
    metrics: Metrics
    implementation_details: ImplementationDetails
    learning_objectives: Annotated[list[Text], Field(min_length=3)]
    difficulty: Annotated[int, Field(ge=1, le=10)]
    estimated_read_time: Text
    prerequisites: Annotated[list[Text], Field(min_length=2)]

    def card(self, *, created: datetime, generated: datetime, source: str) -> dict[str, Any]:
        """The card with the fields that the system adds. `source`: the model's name."""
        return {
            **self.model_dump(),
            "created_date": created.date().isoformat(),
            "updated_date": generated.date().isoformat(),
            "generated_at": generated.isoformat(),
            "source": source,
        }


class _Answered(StudyCard):
    id: str


def answer_schema() -> dict[str, Any]:
    """JSON Schema of an answer: an array of topics, each with the `id` of its item."""
    schema = schema_of(_Answered)
    definitions = schema.pop("$defs")
    return {"type": "array", "items": schema, "$defs": definitions}
