"""Builds and runs the enricher: annotates articles, writes results to the catalogue and scans it page by page."""

from contextlib import AsyncExitStack
from functools import partial

from enricher.annotate_article import ArticleAnnotator
from enricher.catalog_client import CatalogClient
from enricher.on_article_annotated import OnArticleAnnotated
from enricher.on_article_submitted import OnArticleSubmitted
from enricher.on_catalog_scan_requested import OnCatalogScanRequested
from enricher.on_forget_article import OnForgetArticle
from enricher.settings import EnricherSettings
from enricher.topicflow_api import SubmissionsApi
from shared.events import ArticleAnnotated, ArticleSubmitted, CatalogScanRequested, ForgetArticle
from shared.llm.daily_limits import DailyLimits
from shared.llm.gemini import Gemini
from shared.llm.rate_limit import RateLimiter
from shared.observability import metrics
from shared.service.ops_server import Ops, serving
from shared.streams import ANNOTATOR, CATALOG_WRITER, ENRICHER, SCANNER
from shared.worker.handlers import Handlers
from shared.worker.runtime import Worker


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
            pace=RateLimiter(settings.quota, allowance, annotating.group_share),
            prices=prices,
        )
        on_submission = Handlers().on(ArticleSubmitted, OnArticleSubmitted(catalog, annotator))
        worker.consume(annotating, on_submission.on(ForgetArticle, OnForgetArticle(catalog)))
        worker.consume(writing, Handlers().on(ArticleAnnotated, OnArticleAnnotated(catalog, api)))
        scan = OnCatalogScanRequested(catalog, annotator, api, settings.page)
        worker.consume(scanning, Handlers().on(CatalogScanRequested, scan))
        await worker.run(ops, allowance.on_usage_event, partial(gemini.heartbeat, prices), gemini.detect_simulator)
