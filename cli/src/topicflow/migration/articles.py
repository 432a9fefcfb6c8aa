"""Imports the articles that the old system enriched through the API, in batches."""

from collections.abc import AsyncIterator

from shared.text.urns import checked_urn
from topicflow.client.api import ApiClient, answer_of
from topicflow.migration.old_articles import OldArticles
from topicflow.migration.totals import MigrationResult
from topicflow.views.sending import Sending

PER_REQUEST = 500


async def import_articles(api: ApiClient, old: OldArticles, result: MigrationResult, sending: Sending) -> None:
    """`sending` counts the processed ids. Raises the errors of the API client and of `old`; earlier batches stay
    imported."""
    async for batch, read in _batches(old, result):
        if batch:
            body = {"urns": batch, "dry_run": result.is_dry_run}
            result.add(answer_of(await api.post_patiently("/articles/import", body, sending.pause)))
        sending.advance_to(read)


async def _batches(old: OldArticles, result: MigrationResult) -> AsyncIterator[tuple[list[str], int]]:
    """Batches, each with the number of ids read so far; `result` records those that are not URNs."""
    batch: list[str] = []
    read = 0
    async for id_ in old.ids():
        read += 1
        try:
            batch.append(checked_urn(id_))
        except ValueError as error:
            result.left_out.append((id_, str(error)))
        if len(batch) == PER_REQUEST:
            yield batch, read
            batch = []
    yield batch, read
