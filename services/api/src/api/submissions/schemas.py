"""Response models shared by topic and article routes."""

from typing import Literal

from pydantic import BaseModel


class Queued(BaseModel):
    count: int


class Deleted(BaseModel):
    success: Literal[True] = True
    message: str
