"""Handles a submitted article: annotates it with Gemini. Writing the catalogue is a separate step.

Consumes: ArticleSubmitted
Publishes: SubmissionStarted, SubmissionParked, SubmissionFailed, ArticleAnnotated, or SubmissionCompleted if the
    same text was enriched before
Writes: nothing
Fails: Refused, if the article does not exist, has no text, or is blocked by Gemini; Transient, if an answer is
    unusable; Outage, if Gemini or the catalogue is unavailable
"""

from enricher.annotate_article import ArticleAnnotator
from enricher.catalog_client import CatalogClient
from shared.events import ArticleSubmitted
from shared.worker.run import Reported, Run


class OnArticleSubmitted:
    def __init__(self, catalog: CatalogClient, annotator: ArticleAnnotator) -> None:
        self._catalog = catalog
        self._annotator = annotator

    async def __call__(self, event: ArticleSubmitted, run: Run) -> Reported:
        article = await self._catalog.read(event.urn)
        input_hash = self._annotator.input_hash(article)
        if not event.force and article.extras.get("input_hash") == input_hash:
            return run.skipped(input_hash)
        made = await self._annotator.annotate(article, paid=run.record_usage)
        annotation = made.annotation | {"model": made.model, "prompt_version": made.prompt_version}
        return run.annotated(event.urn, annotation, input_hash=made.input_hash, simulated=made.simulated)
