"""What lists can be filtered and sorted by."""

from datetime import datetime
from typing import Literal, TypedDict

from topicflow.client.models import Status


class SubmissionFilters(TypedDict, total=False):
    """`search`: text in the title or URN. Times are aware."""

    status: Status
    search: str
    created_from: datetime
    created_to: datetime
    updated_from: datetime
    updated_to: datetime
    worker: str
    submitted_by: str
    error_contains: str
    simulated: bool


class TopicFilters(SubmissionFilters, total=False):
    category: str
    subcategory: str
    company: str
    complexity: str
    tag: str
    technology: str
    sort_by: Literal["created_at", "updated_at", "title", "status", "difficulty"]
    sort_order: Literal["asc", "desc"]
