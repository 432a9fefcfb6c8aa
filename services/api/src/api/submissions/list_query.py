"""The query of a list: what topics and articles alike can be filtered by, and which page."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from api.projection.cursor import LONGEST
from api.projection.filters import TimeRange
from shared.status import Status


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must be in the years 1 to 9999, also in UTC") from error


FROM, TO = "From this time on (RFC 3339, with a time zone).", "Before this time (RFC 3339, with a time zone)."
Text = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class ListQuery(BaseModel):
    """Times: `…_from` on, and before `…_to`.

    No index helps with times, unless the list is sorted by them, nor with `worker`, `submitted_by`, `error_contains`
    and `simulated`. A page then looks at 5,000 rows at most, and may be short although there is a next one.
    """

    model_config = ConfigDict(extra="forbid")

    status: Status | None = None
    search: Text | None = None
    created_from: Annotated[Time | None, Field(description=FROM)] = None
    created_to: Annotated[Time | None, Field(description=TO)] = None
    updated_from: Annotated[Time | None, Field(description=FROM)] = None
    updated_to: Annotated[Time | None, Field(description=TO)] = None
    worker: Annotated[Text | None, Field(description="The instance that reported last.")] = None
    submitted_by: Annotated[Text | None, Field(description="The name of an API key, or `local`.")] = None
    error_contains: Annotated[Text | None, Field(description="Part of the error, in any case.")] = None
    simulated: bool | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str | None, Field(max_length=LONGEST)] = None

    def filters(self) -> dict[str, Any]:
        """Fields of SubmissionQuery."""
        return {
            "status": self.status,
            "search": self.search,
            "created": TimeRange(self.created_from, self.created_to),
            "updated": TimeRange(self.updated_from, self.updated_to),
            "worker": self.worker,
            "submitted_by": self.submitted_by,
            "error_contains": self.error_contains,
            "simulated": self.simulated,
        }
