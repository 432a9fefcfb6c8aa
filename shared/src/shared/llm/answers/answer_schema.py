"""Building blocks of answer schemas. They tolerate common mistakes of real models whose meaning is clear."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic.json_schema import GenerateJsonSchema

WORDS = (" ",)
SENTENCES = (". ", ".\n", "! ", "? ", "\N{IDEOGRAPHIC FULL STOP}")


class Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Untitled(GenerateJsonSchema):
    """Omits titles, which repeat the fields' names and would be paid for with each call."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def schema_of(answer: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema that a model's answer must follow."""
    return answer.model_json_schema(schema_generator=_Untitled)


def shortened(text: str, limit: int, ends: tuple[str, ...] = SENTENCES) -> str:
    """Cuts to `limit` characters: after the last of `ends` in the second half of what fits, otherwise mid-word."""
    if len(text) <= limit:
        return text
    cut = text[:limit]
    position = max(cut.rfind(end, limit // 2) + len(end.rstrip()) for end in ends)
    return cut[:position].strip() if position > limit // 2 else cut.strip()


def shorten(limit: int, ends: tuple[str, ...] = SENTENCES) -> BeforeValidator:
    """For models that exceed a limit now and then."""
    return BeforeValidator(lambda value: shortened(value, limit, ends) if isinstance(value, str) else value)


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
