"""Builds the enricher and runs it: it annotates articles, writes the catalogue and reads it page by page."""

from contextlib import AsyncExitStack

from enricher.annotate_article import ArticleAnnotator
from enricher.catalog import CatalogClient
from enricher.on_article_annotated import OnArticleAnnotated
from enricher.on_article_forgotten import OnArticleForgotten
from enricher.on_article_submitted import OnArticleSubmitted
from enricher.on_catalog_scan_requested import OnCatalogScanRequested
from enricher.settings import EnricherSettings
from enricher.submissions_api import SubmissionsApi
from shared import metrics
from shared.allowance import DailyLimits
from shared.events import ArticleForgotten, CausesWork
from shared.llm import Gemini
from shared.ops import Ops, serving
from shared.pace import RateLimiter
from shared.run import Reported, Run
from shared.streams import ANNOTATOR, CATALOG_WRITER, ENRICHER, SCANNER
from shared.worker import Worker


async def main(settings: EnricherSettings, instance: str) -> None:
    ops = Ops(metrics.WORKER)
    async with serving(ops, settings), AsyncExitStack() as opened:
        worker = Worker(ENRICHER, instance, settings, opened)
        annotating, writing, scanning = await worker.join(ANNOTATOR, CATALOG_WRITER, SCANNER)
        gemini = Gemini.of(settings, settings.in_flight)
        opened.push_async_callback(gemini.close)
        catalog = CatalogClient.of(settings)
        opened.push_async_callback(catalog.close)
        api = SubmissionsApi(settings.api_url, settings.key_of_api.get_secret_value() if settings.key_of_api else None)
        opened.push_async_callback(api.close)
        allowance = DailyLimits(settings.daily_limits, "article")
        prices = settings.prices
        annotator = ArticleAnnotator(
            gemini,
            calls=settings.in_flight,
            pace=RateLimiter(settings.quota, allowance, annotating.share),
            prices=prices,
        )
        on_submitted, on_forgotten = OnArticleSubmitted(catalog, annotator), OnArticleForgotten(catalog)

        async def asked(event: CausesWork, run: Run) -> Reported | None:
            return await (on_forgotten if isinstance(event, ArticleForgotten) else on_submitted)(event, run)

        worker.settle(annotating, asked)
        worker.settle(writing, OnArticleAnnotated(catalog, api))
        worker.settle(scanning, OnCatalogScanRequested(catalog, annotator, api, settings.page))
        await worker.run(ops, gemini, allowance.note, lambda: [*gemini.problems, *prices.problems])
