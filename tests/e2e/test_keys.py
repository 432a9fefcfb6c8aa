"""`topicflow keys`: creates, lists and revokes keys in the database, and a created key works with the API."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.local_mode import Ended, LocalMode, run
from integration.databases import NOT_MIGRATED, created_later, execute, rows

KEY = re.compile(r"tf_[0-9a-f]{16}_[A-Za-z0-9_-]{43}\n")
IS_KEPT = "SELECT * FROM api_keys"
Keys = Callable[..., Ended]


@pytest.fixture
def keys(tmp_path: Path, database_url: str) -> Keys:
    def keys(*arguments: str) -> Ended:
        return run(tmp_path, "keys", *arguments, TOPICFLOW_DATABASE_URL=database_url)

    return keys


def test_standard_output_is_only_the_key_and_only_its_hash_is_stored(
    keys: Keys, database_url: str, tmp_path: Path
) -> None:
    made = keys("create", "ci")
    assert made.code == 0
    assert KEY.fullmatch(made.out)
    assert made.err == "ci has the scopes read, submit. Store this key: it is not shown again.\n"
    secret = made.out.strip().split("_", 2)[2]
    assert len(kept := rows(database_url, IS_KEPT, "access")) == 1
    assert secret not in str(kept)
    for path in tmp_path.rglob("*.db*"):
        assert secret.encode() not in path.read_bytes()
    assert secret not in keys("list").out + keys("list", "--json").out


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
        rows(database_url, IS_KEPT, "access")


def test_an_invalid_setting_has_exit_code_2_and_an_unreachable_database_3(tmp_path: Path, database_url: str) -> None:
    bad = run(tmp_path, "keys", "list", TOPICFLOW_DATABASE_URL="nonsense://secret@x/y")
    assert (bad.code, bad.err.count("\n"), "secret" in bad.err) == (2, 1, False)
    assert "TOPICFLOW_DATABASE_URL: " in bad.err
    with created_later(database_url) as (url, _):
        away = run(tmp_path, "keys", "create", "x", TOPICFLOW_DATABASE_URL=url)
    assert (away.code, away.out, away.err.count("\n")) == (3, "", 1)
    assert url.rpartition("@")[2].removeprefix("sqlite:///") in away.err


def test_tables_of_a_newer_topicflow_are_left_alone(keys: Keys, database_url: str) -> None:
    assert keys("list").code == 0
    execute(database_url, "UPDATE access_version SET version_num = '9999'", "access")
    refused = keys("create", "ci")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.endswith("finish the upgrade\n")


async def test_a_key_created_beside_a_running_topicflow_works_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    local_mode = LocalMode(tmp_path)
    try:
        await local_mode.ready()
        key = local_mode.run("keys", "create", "reader", "--scope", "read").out.strip()
        assert run(local_mode.data, "status", TOPICFLOW_API_KEY=key).code == 0
        refused = run(local_mode.data, "submit", "Not with this one", TOPICFLOW_API_KEY=key)
        assert (refused.code, refused.err) == (4, "topicflow: this API key lacks the scope submit; it has read\n")
        wrong = run(local_mode.data, "status", TOPICFLOW_API_KEY=key + "x")
        assert (wrong.code, wrong.err) == (4, "topicflow: the API key is unknown or revoked\n")
        assert not [log for log in (local_mode.data / "logs").iterdir() if key.encode()[-43:] in log.read_bytes()]
    finally:
        local_mode.end()
