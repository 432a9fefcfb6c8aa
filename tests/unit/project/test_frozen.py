"""What users of commit 870f1c8 depended on is still there and means the same, but for what `removed.toml` allows."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
from frozen.compare import Removals, differences
from frozen.documents import documented_settings, metrics
from frozen.http_api import routes
from frozen.record import Snapshot, record
from frozen.sources import REPOSITORY, Sources

FROZEN = REPOSITORY / "tests" / "frozen"
RECORDED: Snapshot = json.loads((FROZEN / "870f1c8.json").read_text("utf-8"))
NOTHING_REMOVED = Removals()
OF_EACH_SURFACE = [(surface, name) for surface, lines in RECORDED.items() for name in (min(lines), max(lines))]


def test_everything_recorded_is_still_there_and_means_the_same() -> None:
    broken = differences(RECORDED, record(), Removals.read(FROZEN / "removed.toml"))
    assert not broken, "\n".join([*broken, "If it has to be so, give the reason in tests/frozen/removed.toml."])


def test_every_surface_is_recorded_sorted_and_none_is_nearly_empty() -> None:
    assert list(RECORDED) == sorted(RECORDED)
    for surface, lines in RECORDED.items():
        assert list(lines) == sorted(lines)
        assert len(lines) > 15, surface


@pytest.mark.parametrize(("surface", "name"), OF_EACH_SURFACE)
def test_removed_and_changed_lines_are_named(surface: str, name: str) -> None:
    present, was = deepcopy(RECORDED), RECORDED[surface][name]
    present[surface][name] = "another thing"
    changed = f"changed in {surface}: {name} was {was!r} and is 'another thing'"
    assert differences(RECORDED, present, NOTHING_REMOVED) == [changed]
    del present[surface][name]
    assert differences(RECORDED, present, NOTHING_REMOVED) == [f"gone from {surface}: {name} ({was})"]
    assert differences(RECORDED, present, Removals(removed={surface: {name: "nobody used it"}})) == []


def test_a_removed_surface_is_named_line_by_line() -> None:
    present = {surface: lines for surface, lines in RECORDED.items() if surface != "streams"}
    assert len(differences(RECORDED, present, NOTHING_REMOVED)) == len(RECORDED["streams"])


def test_additions_are_allowed() -> None:
    present = deepcopy(RECORDED) | {"a new surface": {"a name": "a thing"}}
    present["routes"]["GET /api/v2/topics"] = "a route"
    assert differences(RECORDED, present, NOTHING_REMOVED) == []


def test_a_removal_that_is_listed_but_did_not_happen_fails() -> None:
    name = min(RECORDED["streams"])
    allowed = Removals(removed={"streams": {name: "nobody used it"}})
    assert differences(RECORDED, RECORDED, allowed) == [
        f"the list has removed.streams: {name}, which is still there unchanged"
    ]


def test_an_announced_removal_may_have_happened_or_not() -> None:
    name = min(RECORDED["streams"])
    announced = Removals(announced={"streams": {name: "nobody uses it"}})
    present = deepcopy(RECORDED)
    assert differences(RECORDED, present, announced) == []
    del present["streams"][name]
    assert differences(RECORDED, present, announced) == []


def test_a_removal_without_a_reason_or_of_an_unknown_line_fails() -> None:
    present = deepcopy(RECORDED)
    del present["streams"]["catalog-scans"]
    allowed = Removals(removed={"streams": {"catalog-scans": " ", "no-such-stream": "a slip"}})
    assert differences(RECORDED, present, allowed) == [
        "the list gives no reason for removed.streams: catalog-scans",
        "the list has removed.streams: no-such-stream, which was never recorded",
    ]


def test_a_renamed_schema_is_no_change_and_a_changed_type_is_one() -> None:
    text = (REPOSITORY / "docs" / "openapi.json").read_text("utf-8")
    assert '"TopicsToSubmit"' in text
    assert routes(json.loads(text.replace("TopicsToSubmit", "Renamed"))) == routes(json.loads(text))
    document = json.loads(text)
    fields = document["components"]["schemas"]["TopicsToSubmit"]["properties"]
    fields["force"]["type"] = "string"
    fields["batch_size"]["maximum"] = 4
    assert set(routes(document).items()) - set(routes(json.loads(text)).items()) == {
        ("POST /api/v1/topics body force", "string, optional"),
        ("POST /api/v1/topics body batch_size", "integer (minimum 1, maximum 4), optional"),
    }


def test_a_parameter_or_field_that_becomes_required_is_a_change() -> None:
    document = json.loads((REPOSITORY / "docs" / "openapi.json").read_text("utf-8"))
    document["components"]["schemas"]["TopicsToSubmit"]["required"].append("new_field")
    document["components"]["schemas"]["TopicsToSubmit"]["properties"]["new_field"] = {"type": "string"}
    assert routes(document)["POST /api/v1/topics requires"] == "body, body.new_field, body.topics"


def test_pages_are_read_by_their_tables() -> None:
    settings = (
        "| name | default | |\n|---|---|---|\n| `A_HOST`, `A_PORT` | `::1`, none | |\n| `A_KEY` | | `x` |\n"
        "## Kafka\n| `A_KEY` | `2`, on Kafka 10 | |\n"
    )
    assert documented_settings(settings) == {
        "A_HOST documented": "::1",
        "A_PORT documented": "none",
        "A_KEY documented": "none; 2, 10",
    }
    assert metrics("## API\n| name | type |\n| `a_total` | counter | kind, end | A. |\n") == {
        "a_total": "counter of api, labels: kind, end"
    }


def test_codes_are_found_in_sources_with_any_class_names(tmp_path: Path) -> None:
    source = tmp_path / "shared" / "src" / "shared" / "anything.py"
    source.parent.mkdir(parents=True)
    source.write_text(
        'PAUSED = "paused"\n'
        "class Anything(Exception):\n    def __init__(self, code, message): ...\n"
        "class Inherited(Anything): ...\n"
        'class Fixed(Inherited):\n    def __init__(self): super().__init__("fixed", "")\n'
        "class Fields:\n    message: str\n    code: str\n"
        'class Constant(Exception):\n    code = "constant"\n'
        "def use(x):\n"
        '    Anything("given", "a message"), Inherited(f"api_{x}", ""), Fields("", "field"), Inherited(x, "")\n'
        '    Fields(code="one" if x else "other", message=""), Fields("", PAUSED), Fields("", "A sentence.")\n'
    )
    found = Sources(tmp_path).words_given_as("code")
    assert found == {"given", "api_{}", "fixed", "field", "constant", "one", "other", "paused"}
