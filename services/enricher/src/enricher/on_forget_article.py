"""Marks an article as not enriched in the catalogue.

Consumes: ForgetArticle
Publishes: SubmissionStarted, SubmissionParked, SubmissionFailed
Writes: the catalogue
Fails: Outage, if it is unavailable
"""

from enricher.catalog_client import CatalogClient
from enricher.on_article_annotated import WRITTEN_BY, is_newer, submission_mark
from shared.errors import Refused
from shared.events import ForgetArticle
from shared.worker.run import Run


class OnForgetArticle:
    def __init__(self, catalog: CatalogClient) -> None:
        self._catalog = catalog

    async def __call__(self, event: ForgetArticle, run: Run) -> None:
        """Counts as a submission: late results of earlier submissions are not written any more."""
        try:
            there = (await self._catalog.read(event.urn)).extras.get(WRITTEN_BY)
            if not is_newer(there, event):
                await self._catalog.patch(event.urn, {"input_hash": None, WRITTEN_BY: submission_mark(event)})
        except Refused as refused:
            if refused.code != "not_found":  # nothing to forget
                raise
