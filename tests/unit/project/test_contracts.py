"""The contract documents: the check fails until they are regenerated, so changes show in review."""

import json
import os
import subprocess
import sys
from pathlib import Path

import contracts
import pytest

from shared.streams import EVENT_TYPES, STREAMS


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json", "metrics.md"])
def test_a_stale_or_missing_document_is_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert contracts.main(tmp_path, only_check=False) == 0
    assert contracts.main(tmp_path, only_check=True) == 0
    assert capsys.readouterr().err == ""
    (tmp_path / name).write_text("{}")
    assert contracts.main(tmp_path, only_check=True) == 1
    (tmp_path / name).unlink()
    assert contracts.main(tmp_path, only_check=True) == 1
    assert capsys.readouterr().err == f"docs/{name} is not up to date: run `make contracts`\n" * 2


def test_the_documents_are_the_same_in_every_process() -> None:
    code = "import contracts, json; print(json.dumps(contracts.documents()))"
    written = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(contracts.__file__).parent)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(written) == 1


def test_every_stream_event_and_reader_is_in_the_document() -> None:
    channels = contracts.asyncapi()["channels"]
    assert channels.keys() == {stream.name for stream in STREAMS}
    for stream in STREAMS:
        for group in stream.groups:
            assert group in channels[stream.name]["description"]
    assert EVENT_TYPES.keys() <= contracts.asyncapi()["components"]["schemas"].keys()


def test_errors_are_documented_as_problems() -> None:
    for path, methods in contracts.openapi()["paths"].items():
        for method, operation in methods.items():
            default = operation["responses"].get("default", {})
            assert "application/problem+json" in default.get("content", {}), (method, path)
    assert "HTTPValidationError" not in json.dumps(contracts.openapi())
