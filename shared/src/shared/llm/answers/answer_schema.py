"""What the models of an answer are made of: they take what real models do now and then, where its meaning is clear."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic.json_schema import GenerateJsonSchema

WORDS = (" ",)
SENTENCES = (". ", ".\n", "! ", "? ", "\N{IDEOGRAPHIC FULL STOP}")


class Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Untitled(GenerateJsonSchema):
    """Titles say the fields' names again, and are paid for with each call."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def schema_of(answer: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema that a model is told to keep to."""
    return answer.model_json_schema(schema_generator=_Untitled)


def shortened(text: str, limit: int, ends: tuple[str, ...] = SENTENCES) -> str:
    """To `limit` characters: up to the last end in the second half of what fits, else in the middle of a word."""
    if len(text) <= limit:
        return text
    cut = text[:limit]
    at = max(cut.rfind(end, limit // 2) + len(end.rstrip()) for end in ends)
    return cut[:at].strip() if at > limit // 2 else cut.strip()


def shorten(limit: int, ends: tuple[str, ...] = SENTENCES) -> BeforeValidator:
    """Models overrun a limit now and then."""
    return BeforeValidator(lambda value: shortened(value, limit, ends) if isinstance(value, str) else value)


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
