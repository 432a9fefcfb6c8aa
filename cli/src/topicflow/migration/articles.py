"""Tells the API which articles the old system enriched, as many as a request takes at a time."""

from collections.abc import AsyncIterator

from shared.text.urns import checked_urn
from topicflow.client.api import ApiClient, answer_of
from topicflow.migration.old_articles import OldArticles
from topicflow.migration.totals import MigrationResult
from topicflow.views.sending import Sending

PER_REQUEST = 500


async def move_articles_in(api: ApiClient, old: OldArticles, moved: MigrationResult, sending: Sending) -> None:
    """`sending` counts the ids that are dealt with. Raises what the API client and `old` raise; what was sent stays."""
    async for batch, read in _batches(old, moved):
        if batch:
            body = {"urns": batch, "dry_run": moved.is_dry_run}
            moved.add(answer_of(await api.post_patiently("/articles/import", body, sending.pause)))
        sending.advance_to(read)


async def _batches(old: OldArticles, moved: MigrationResult) -> AsyncIterator[tuple[list[str], int]]:
    """With each the number of ids that are read by then; `moved` knows which are no URNs."""
    batch: list[str] = []
    read = 0
    async for id_ in old.ids():
        read += 1
        try:
            batch.append(checked_urn(id_))
        except ValueError as error:
            moved.left_out.append((id_, str(error)))
        if len(batch) == PER_REQUEST:
            yield batch, read
            batch = []
    yield batch, read
