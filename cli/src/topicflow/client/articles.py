"""The calls about articles and scans of the catalogue."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Unpack

from topicflow.client.api import answer_of
from topicflow.client.filters import SubmissionFilters
from topicflow.client.follow import PATIENCE, FollowCalls
from topicflow.client.models import Article, ArticlesSubmitted, Scan, SubmittedArticle, article_path
from topicflow.client.reading import model_of, read_pages
from topicflow.client.submitting import ARTICLES, merged, submit


class ArticleCalls(FollowCalls):
    async def submit_articles(self, urns: Sequence[str], *, force: bool = False) -> ArticlesSubmitted:
        """Any number of URNs, as `submit_topics`."""
        answers = await submit(self, ARTICLES, urns, {"force": force})
        return model_of(ArticlesSubmitted, merged([answer_of(answer) for answer in answers], "articles"))

    async def article(self, urn: str) -> Article:
        return model_of(Article, await self.get(article_path(urn)))

    async def articles(
        self, *, limit: int | None = None, **filters: Unpack[SubmissionFilters]
    ) -> AsyncGenerator[Article, None]:
        """All that match, the most recently submitted first; read page by page."""
        async with aclosing(read_pages(self, "articles", filters, limit)) as rows:
            async for row in rows:
                yield model_of(Article, row)

    async def forget_article(self, urn: str) -> None:
        """Marks an article as not enriched, here and in the catalogue."""
        await self.delete(article_path(urn) + "/enrichment")

    async def start_scan(self) -> Scan:
        """Submits what is due in the catalogue. Only one scan runs at a time: returns that one if there is one."""
        return model_of(Scan, await self.post("/articles/scan", {}))

    async def scan(self) -> Scan:
        """The latest. Raises NotFound if there was none."""
        return model_of(Scan, await self.get("/articles/scan"))

    async def wait_for_articles(
        self, articles: Iterable[SubmittedArticle], *, timeout: float | None = None, patience: float = PATIENCE
    ) -> list[Article]:
        """As `wait_for_topics`."""
        waited_for = list(articles)
        async with asyncio.timeout(timeout):
            rows = await self._ends(waited_for, patience)
        return [model_of(Article, row) for row in rows]
