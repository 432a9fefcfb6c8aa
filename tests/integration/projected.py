"""A database of the status-projector, and projections into it."""

from collections.abc import Iterable, Sequence

from integration.databases import Rows, execute, rows, tables_of

from shared.db.engine import Database, open_writer
from shared.db.migrate import migrate
from shared.messaging.broker import Batch
from shared.messaging.cloudevents import Record
from status_projector.projection import Projection


class Projected:
    """One database, migrated by `open`. `dead_lettered`: by its projections."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.dead_lettered: list[Record] = []
        self._opened: list[Database] = []

    async def open(self) -> "Projected":
        await migrate(self.writer(), "projection")
        return self

    def writer(self) -> Database:
        self._opened.append(open_writer(self.url))
        return self._opened[-1]

    async def projection(self) -> Projection:
        """A loaded projection with its own connection, as of one more projector."""
        projection = Projection(self.writer(), self._dead_letter, "projector-1")
        await projection.load(0)
        return projection

    async def project(self, batches: Iterable[Batch]) -> "Projected":
        projection = await self.projection()
        for batch in batches:
            await projection.project(batch)
        return self

    async def _dead_letter(self, records: Sequence[Record]) -> None:
        self.dead_lettered += records

    def rows(self, query: str) -> Rows:
        return rows(self.url, query)

    def execute(self, statement: str) -> None:
        execute(self.url, statement)

    @property
    def tables(self) -> dict[str, Rows]:
        return tables_of(self.url)

    @property
    def version(self) -> int:
        """How many batches were projected."""
        return sum(version for (version,) in self.rows("SELECT version FROM positions"))

    async def close(self) -> None:
        for database in self._opened:
            await database.close()
