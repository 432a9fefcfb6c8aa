"""Reads one page of the catalogue and submits the articles that are not enriched yet, through the API.

Consumes: CatalogScanRequested
Publishes: SubmissionStarted, SubmissionParked, SubmissionFailed, and CatalogScanRequested for the next page, or
    SubmissionCompleted after the last
Writes: nothing
Fails: Outage, if the catalogue or the API is unavailable; Refused, if the catalogue ignores the requested order
"""

from collections.abc import Sequence

import structlog

from enricher.annotate_article import ArticleAnnotator
from enricher.catalog_client import CatalogClient
from enricher.catalog_schema import CatalogArticle
from enricher.topicflow_api import SubmissionsApi
from shared.errors import Refused
from shared.events import CatalogScanRequested
from shared.text.urns import is_urn
from shared.worker.run import Reported, Run

log = structlog.get_logger()


class OnCatalogScanRequested:
    """Pages are ordered by URN, each starting after the last URN of the previous one: writes do not shift them."""

    def __init__(self, catalog: CatalogClient, annotator: ArticleAnnotator, api: SubmissionsApi, page: int) -> None:
        self._catalog = catalog
        self._annotator = annotator
        self._api = api
        self._page = page

    async def __call__(self, event: CatalogScanRequested, run: Run) -> Reported:
        articles, is_last = await self._read(event.after)
        due = self._due(articles)
        submitted = await self._api.submit(due) if due else 0
        progress = {"seen": event.seen + len(articles), "submitted": event.submitted + submitted}
        if is_last:
            return run.completed({"pages": event.attempt} | progress, simulated=bool(self._catalog.simulated))
        following = {"attempt": event.attempt + 1, "after": articles[-1].urn, "requeued": None}
        return event.model_copy(update=following | progress)

    def _due(self, articles: Sequence[CatalogArticle]) -> dict[str, str]:
        """Input hashes by URN, without invalid URNs: the API accepts a page as a whole or not at all."""
        if invalid := [article.urn for article in articles if not is_urn(article.urn)]:
            log.warning("articles_without_urn_skipped", number=len(invalid), names=invalid[:5])
        hashes = [(article, self._annotator.input_hash(article)) for article in articles if is_urn(article.urn)]
        return {article.urn: hash_ for article, hash_ in hashes if article.extras.get("input_hash") != hash_}

    async def _read(self, after: str) -> tuple[Sequence[CatalogArticle], bool]:
        """The page, and whether it is the last. Raises Refused if it is not in URN order: the next page could skip
        articles."""
        articles, is_last = await self._fitting_page(after)
        names = [article.urn for article in articles]
        if names != sorted(set(names)) or (names and names[0] <= after):
            raise Refused("catalog_order", "the catalogue does not list articles in the order of their URNs")
        return articles, is_last

    async def _fitting_page(self, after: str) -> tuple[Sequence[CatalogArticle], bool]:
        """A smaller page if the full one is too large; only the URN of an article that is too large on its own."""
        limit = self._page
        while limit:
            try:
                articles = await self._catalog.page_after(after, limit)
            except Refused as refused:
                if refused.code != "answer_too_large":
                    raise
                limit //= 2
            else:
                return articles, len(articles) < limit
        return await self._catalog.page_after(after, 1, fields=("urn",)), False
