"""The contracts as documents: docs/openapi.json and docs/asyncapi.json, written, or compared with `--check`."""

import json
import sys
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

from faststream.redis import RedisBroker
from faststream.specification import AsyncAPI

from api.app import build
from shared import __version__
from shared.streams import PROJECTOR, STREAMS, Stream

DOCS = Path(__file__).parents[1] / "docs"


def openapi() -> dict[str, Any]:
    return build().openapi()


def asyncapi() -> dict[str, Any]:
    """From a broker that is never started."""
    broker = RedisBroker("redis://localhost:6379")
    for stream in STREAMS:
        any_event: Any = reduce(or_, stream.events)
        broker.publisher(stream=stream.name, title=stream.name, description=_described(stream), schema=any_event)
    about = "CloudEvents 1.0 in binary mode: attributes are fields of the entry, `ce_type` names event and version."
    document = AsyncAPI(broker, title="topicflow", version=__version__, description=about)
    found: dict[str, Any] = json.loads(document.to_specification().to_json())
    return found


def _described(stream: Stream) -> str:
    types = ", ".join(f"topicflow.{event.__name__}.v{event.version}" for event in stream.events)
    projectors = (PROJECTOR,) if stream.projected else ()
    readers = ", ".join((*stream.groups, *projectors)) or "every api replica"
    described = f"Key: {stream.key}. Events: {types}. Read by: {readers}."
    if stream.groups or stream.projected:
        described += f" What can not be handled goes to {stream.dead_letters}."
    return described


def main(folder: Path, *, only_check: bool) -> int:
    """Answers the exit code: 1 where only checking and a document is not up to date."""
    for name, document in (("openapi.json", openapi()), ("asyncapi.json", asyncapi())):
        path, text = folder / name, json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        if not only_check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"docs/{name} is not up to date: run `make contracts`", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(DOCS, only_check="--check" in sys.argv[1:]))
