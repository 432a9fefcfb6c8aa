"""What the model must return for one title, and the card that is made of it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

LONGEST_TITLE = 100
LONGEST_DESCRIPTION = 5000


def _shorten(limit: int, end: str) -> BeforeValidator:
    """Models overrun a limit now and then; what is too long ends at the last `end` that fits."""

    def shorten(value: object) -> object:
        if not isinstance(value, str) or len(value) <= limit:
            return value
        cut = value[:limit]
        return cut[: cut.rfind(end) + 1].strip() or cut

    return BeforeValidator(shorten)


def _as_named(value: object) -> object:
    """`System Design` is meant as system_design."""
    return "_".join(value.casefold().split()) if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Title = Annotated[Text, Field(max_length=LONGEST_TITLE), _shorten(LONGEST_TITLE, " ")]
Description = Annotated[Text, Field(max_length=LONGEST_DESCRIPTION), _shorten(LONGEST_DESCRIPTION, ".")]
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


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Metrics(_Part):
    scale: Text
    performance: Text
    reliability: Text
    latency: Text


class ImplementationDetails(_Part):
    architecture: Text
    scaling: Text
    storage: Text
    caching: Text
    monitoring: Text


class Topic(_Part):
    """The fifteen fields of a study card; all required."""

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
        """With the system's own fields. `source`: the model's name."""
        return {
            **self.model_dump(),
            "created_date": created.date().isoformat(),
            "updated_date": generated.date().isoformat(),
            "generated_at": generated.isoformat(),
            "source": source,
        }


class _Answered(Topic):
    id: str


def answer_schema() -> dict[str, Any]:
    """JSON Schema of an answer: an array of topics, each with the `id` of its item."""
    schema = _Answered.model_json_schema()
    definitions = schema.pop("$defs")
    return {"type": "array", "items": schema, "$defs": definitions}
