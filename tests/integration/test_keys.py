"""`topicflow keys` in the API's database: `python -m api.admin`, run within the test's own process."""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from integration.databases import NOT_MIGRATED, created_later, execute, rows
from integration.installation import Ran, run_admin

from api.access.callers import SCOPES
from api.admin.keys import ScopeName

KEY = re.compile(r"tf_[0-9a-f]{16}_[A-Za-z0-9_-]{43}\n")
STORED = "SELECT * FROM api_keys"


Keys = Callable[..., Ran]


def run(database_url: str, *arguments: str) -> Ran:
    return run_admin(["keys", *arguments], {"TOPICFLOW_DATABASE_URL": database_url})


@pytest.fixture
def keys(database_url: str) -> Keys:
    return partial(run, database_url)


def test_standard_output_is_only_the_key_and_only_its_hash_is_stored(
    keys: Keys, database_url: str, tmp_path: Path
) -> None:
    made = keys("create", "ci")
    assert made.code == 0
    assert KEY.fullmatch(made.out)
    assert made.err == "ci has the scopes read, submit. Store this key: it is not shown again.\n"
    secret = made.out.strip().split("_", 2)[2]
    assert len(kept := rows(database_url, STORED, "access")) == 1
    assert secret not in str(kept)
    for path in tmp_path.rglob("*.db*"):
        assert secret.encode() not in path.read_bytes()
    assert secret not in keys("list").out + keys("list", "--json").out


def test_every_scope_can_be_given() -> None:
    assert {scope.value for scope in ScopeName} == set(SCOPES)


def test_the_scopes_of_a_key_are_shown_when_it_is_created_and_listed(keys: Keys) -> None:
    options = ("--scope", "operate", "--scope", "read", "--rate", "7", "--body-limit", "5000")
    made = json.loads(keys("create", "night-shift", *options, "--json").out)
    assert KEY.fullmatch(made.pop("key") + "\n")
    assert made == {
        "id": made["id"],
        "name": "night-shift",
        "scopes": ["operate", "read"],
        "requests_per_second": 7,
        "body_bytes": 5000,
        "created_at": made["created_at"],
        "revoked_at": None,
    }
    assert json.loads(keys("list", "--json").out) == {"keys": [made]}
    _, line = keys("list").out.splitlines()
    assert line.split()[:6] == ["night-shift", made["id"], "operate,", "read", "7", "5000"]


def test_a_name_belongs_to_one_key_and_is_free_again_when_it_is_revoked(keys: Keys) -> None:
    first = json.loads(keys("create", "ci", "--json").out)
    taken = keys("create", "ci")
    assert (taken.code, taken.out, taken.err.count("\n")) == (1, "", 1)
    assert taken.err.startswith("topicflow: an API key named ci already exists")
    revoked = keys("revoke", "ci")
    assert (revoked.code, revoked.err) == (0, "")
    assert revoked.out.startswith(f"ci ({first['id']}) is revoked")
    second = json.loads(keys("create", "ci", "--json").out)
    assert json.loads(keys("revoke", second["id"], "--json").out)["revoked_at"]
    assert [bool(key["revoked_at"]) for key in json.loads(keys("list", "--json").out)["keys"]] == [True, True]
    nobody = keys("revoke", "ci")
    assert (nobody.code, nobody.out, nobody.err) == (1, "", "topicflow: there is no active API key 'ci'\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["create", "local"],
        ["create", "two words"],
        ["create", "x", "--scope", "everything"],
        ["create", "x", "--rate", "0"],
        ["create", "x", "--body-limit", str(16 * 1024**2 + 1)],
    ],
    ids=" ".join,
)
def test_wrong_use_has_exit_code_2_and_creates_nothing(keys: Keys, database_url: str, arguments: list[str]) -> None:
    wrong = keys(*arguments)
    assert (wrong.code, wrong.out) == (2, "")
    with pytest.raises(NOT_MIGRATED):
        rows(database_url, STORED, "access")


def test_an_invalid_setting_has_exit_code_2_and_an_unreachable_database_3(database_url: str) -> None:
    bad = run("nonsense://secret@x/y", "list")
    assert (bad.code, bad.err.count("\n"), "secret" in bad.err) == (2, 1, False)
    assert "TOPICFLOW_DATABASE_URL: " in bad.err
    with created_later(database_url) as (url, _):
        away = run(url, "create", "x")
    assert (away.code, away.out, away.err.count("\n")) == (3, "", 1)
    assert url.rpartition("@")[2].removeprefix("sqlite:///") in away.err


def test_tables_of_a_newer_topicflow_are_left_alone(keys: Keys, database_url: str) -> None:
    assert keys("list").code == 0
    execute(database_url, "UPDATE access_version SET version_num = '9999'", "access")
    refused = keys("create", "ci")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.endswith("finish the upgrade, or start with an empty database\n")
