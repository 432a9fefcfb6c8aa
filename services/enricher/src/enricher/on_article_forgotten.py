"""Somebody wants an article to count as never enriched: the catalogue loses the mark.

Consumes: ArticleForgotten
Publishes: SubmissionStarted, SubmissionParked, SubmissionFailed
Writes: the catalogue
Fails: Outage, when it is away
"""

from enricher.catalog import CatalogClient
from enricher.on_article_annotated import WRITTEN_BY, is_newer, named
from shared.errors import Refused
from shared.events import ArticleForgotten, CausesWork
from shared.worker.run import Run


class OnArticleForgotten:
    def __init__(self, catalog: CatalogClient) -> None:
        self._catalog = catalog

    async def __call__(self, event: CausesWork, run: Run) -> None:
        """Forgetting counts as a submission: what an earlier one brings late is not written any more."""
        assert isinstance(event, ArticleForgotten)
        try:
            there = (await self._catalog.read(event.urn)).extras.get(WRITTEN_BY)
            if not is_newer(there, event):
                await self._catalog.patch(event.urn, {"input_hash": None, WRITTEN_BY: named(event)})
        except Refused as refused:
            if refused.code != "not_found":  # what is not there is forgotten
                raise
