"""Records what users depend on, of the code as it is. `PYTHONPATH=tests python -m frozen.record` prints it."""

import json

from frozen import product
from frozen.catalogue import writes
from frozen.commands import commands
from frozen.documents import documented_settings, metrics
from frozen.environment import of_command, settings
from frozen.exit_codes import exit_codes
from frozen.headers import headers
from frozen.http_api import routes
from frozen.sources import REPOSITORY, Sources
from frozen.words import error_codes, health_fields, reasons

Snapshot = dict[str, dict[str, str]]  # by surface: each name with what it is
DOCS = REPOSITORY / "docs"


def record() -> Snapshot:
    sources = Sources()
    documented = documented_settings((DOCS / "settings.md").read_text("utf-8"))
    found = {
        "catalogue": writes(),
        "commands": commands(),
        "environment": settings() | of_command(sources) | documented,
        "error codes": error_codes(sources),
        "exit codes": exit_codes(),
        "headers": headers(sources),
        "metrics": metrics((DOCS / "metrics.md").read_text("utf-8")),
        "reasons": reasons(sources),
        "routes": routes(json.loads((DOCS / "openapi.json").read_text("utf-8"))) | health_fields(sources),
        "streams": _streams(),
    }
    return {surface: dict(sorted(lines.items())) for surface, lines in found.items()}


def _streams() -> dict[str, str]:
    lines: dict[str, str] = {}
    for stream in product.STREAMS:
        readers = [*stream.groups, *([product.PROJECTOR] if stream.projected else [])]
        lines |= {f"{stream.name} read by {reader}": "a group" for reader in readers}
        lines[stream.name] = "a stream"
        if readers:
            lines[f"{stream.name} dead letters"] = stream.dead_letters
    return lines


if __name__ == "__main__":
    print(json.dumps(record(), indent=2, ensure_ascii=False))
