"""`python -m api.admin.keys`, behind `topicflow keys`: creates, lists, revokes API keys in the API's database."""

import argparse
import asyncio
import json
import re
import sys
from dataclasses import asdict
from typing import Any

from api.access.api_keys import ApiKey, ApiKeys, NameTaken, NoSuchKey
from api.access.scopes import LOCAL, MOST_BODY_BYTES, PROBE, SCOPES
from api.admin.command_line import FAILED, UNREACHABLE, number, refuse, show, where_it_is
from shared.db.engine import DatabaseUnreachable, open_access
from shared.db.migrate import migrate
from shared.errors import CannotGoOn
from shared.settings import DatabaseSettings

NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def main() -> int:
    """Returns the exit code."""
    options = _parser().parse_args()
    try:
        return asyncio.run(_run(options, DatabaseSettings.load().database_url))
    except CannotGoOn as error:
        return refuse(error, error.exit_code)


async def _run(options: argparse.Namespace, url: str) -> int:
    database = open_access(url)
    try:
        await migrate(database, "access")
        await options.action(ApiKeys(database), options)
    except (NameTaken, NoSuchKey) as error:
        return refuse(error, FAILED)
    except DatabaseUnreachable as error:
        return refuse(f"{error} ({where_it_is(url)})", UNREACHABLE)
    finally:
        await database.close()
    return 0


async def _create(keys: ApiKeys, options: argparse.Namespace) -> None:
    scopes = options.scopes or ["read", "submit"]
    key, secret = await keys.create(options.name, scopes, options.rate, options.body_limit)
    if options.json:
        show(json.dumps(_as_json(key) | {"key": secret}))
    else:
        sys.stderr.write(f"{key.name} has the scopes {', '.join(key.scopes)}. Store this key: it is not shown again.\n")
        show(secret)


async def _list(keys: ApiKeys, options: argparse.Namespace) -> None:
    rows = [_as_json(key) for key in await keys.all()]
    if options.json:
        show(json.dumps({"keys": rows}))
        return
    row = "{name:20} {id:16} {scopes:21} {requests_per_second:>10} {body_bytes:>10} {created_at:19} {revoked_at}"
    heads = {"requests_per_second": "requests/s", "body_bytes": "body bytes", "created_at": "created"}
    show(row.format(name="name", id="id", scopes="scopes", revoked_at="revoked", **heads).rstrip())
    for key in rows:
        cells = {name: "" if value is None else str(value)[:19] for name, value in key.items()}
        show(row.format(**cells | {"name": key["name"], "scopes": ", ".join(key["scopes"])}).rstrip())


async def _revoke(keys: ApiKeys, options: argparse.Namespace) -> None:
    key = await keys.revoke(options.name_or_id)
    show(json.dumps(_as_json(key)) if options.json else f"{key.name} ({key.id}) is revoked on every replica within 5 s")


def _as_json(key: ApiKey) -> dict[str, Any]:
    fields = asdict(key) | {
        "created_at": key.created_at.isoformat(),
        "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
    }
    del fields["hash"]
    return fields


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("topicflow keys", description="Manage API keys in the API's database.")
    commands = parser.add_subparsers(required=True, metavar="create|list|revoke")

    create = commands.add_parser("create", help="create a key and show it once")
    create.add_argument("name", type=_name, metavar="NAME", help="name of the holder, recorded with each submission")
    scope = "scope of the key, repeatable; default: read and submit"
    create.add_argument("--scope", action="append", dest="scopes", choices=SCOPES, help=scope)
    rate = "requests per second, in each replica; default: TOPICFLOW_REQUESTS_PER_SECOND"
    create.add_argument("--rate", type=number(1, 1_000_000), metavar="N", help=rate)
    limit = f"maximum size of a request body; default: 2 MiB, at most {MOST_BODY_BYTES}"
    create.add_argument("--body-limit", type=number(1, MOST_BODY_BYTES), metavar="BYTES", help=limit)
    create.set_defaults(action=_create)

    commands.add_parser("list", help="list all keys, including revoked ones").set_defaults(action=_list)

    revoke = commands.add_parser("revoke", help="revoke a key")
    revoke.add_argument("name_or_id", metavar="NAME_OR_ID")
    revoke.set_defaults(action=_revoke)

    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="JSON output, for scripts")
    return parser


def _name(text: str) -> str:
    if not NAME.fullmatch(text) or text in {LOCAL.name, PROBE.name}:
        raise argparse.ArgumentTypeError("letters, digits, '.', '_' and '-', at most 64, and not 'local' or 'probe'")
    return text


if __name__ == "__main__":
    sys.exit(main())
