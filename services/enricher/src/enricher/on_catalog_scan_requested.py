"""A page of the catalogue is read, and what of it is not enriched yet is submitted, like by any other client.

Consumes: CatalogScanRequested
Publishes: SubmissionStarted, SubmissionParked, SubmissionFailed, and CatalogScanRequested for the next page, or
    SubmissionCompleted after the last
Writes: nothing
Fails: Outage, when the catalogue or the API is away; Refused, when the catalogue does not keep to the order asked for
"""

from collections.abc import Sequence

from enricher.annotate_article import ArticleAnnotator
from enricher.catalog import Catalog
from enricher.catalog_answers import Article
from enricher.submissions_api import SubmissionsApi
from shared.errors import Refused
from shared.events import CatalogScanRequested, CausesWork
from shared.run import Reported, Run


class OnCatalogScanRequested:
    """Pages go by the URNs' own order, each from where the one before ended: what is written moves nothing in it."""

    def __init__(self, catalog: Catalog, annotator: ArticleAnnotator, api: SubmissionsApi, page: int) -> None:
        self._catalog = catalog
        self._annotator = annotator
        self._api = api
        self._page = page

    async def __call__(self, event: CausesWork, run: Run) -> Reported:
        assert isinstance(event, CatalogScanRequested)
        articles = await self._read(event.after)
        hashes = [(article, self._annotator.input_hash(article)) for article in articles]
        due = {article.urn: hash_ for article, hash_ in hashes if article.extras.get("input_hash") != hash_}
        submitted = await self._api.submit(due) if due else 0
        so_far = {"seen": event.seen + len(articles), "submitted": event.submitted + submitted}
        if len(articles) < self._page:
            return run.completed({"pages": event.attempt} | so_far, simulated=bool(self._catalog.simulated))
        following = {"attempt": event.attempt + 1, "after": articles[-1].urn, "requeued": None}
        return event.model_copy(update=following | so_far)

    async def _read(self, after: str) -> Sequence[Article]:
        """Raises Refused where the order is another one: a page after it would be a gap."""
        articles = await self._catalog.page_after(after, self._page)
        names = [article.urn for article in articles]
        if names != sorted(set(names)) or (names and names[0] <= after):
            raise Refused("catalog_order", "the catalogue does not list articles in the order of their URNs")
        return articles
