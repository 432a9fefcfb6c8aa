"""The client for `async` programs: submits, reads, waits and follows."""

from topicflow.client.articles import ArticleCalls
from topicflow.client.models import ProcessingStatus
from topicflow.client.reading import model_of
from topicflow.client.topics import TopicCalls


class AsyncClient(TopicCalls, ArticleCalls):
    """`async with AsyncClient("http://127.0.0.1:8000", key="tf_…") as client`. `get`, `post` and `delete` reach every
    other route. Every call raises NotFound, NotAllowed, WrongUse, ServiceUnavailable, Unreachable or Failed."""

    async def processing_status(self) -> ProcessingStatus:
        return model_of(ProcessingStatus, await self.get("/processing-status"))
