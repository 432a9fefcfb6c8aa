"""`python -m api.admin.keys`, behind `topicflow keys`: makes, lists, revokes API keys, where the API's database is."""

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
    """Answers the exit code."""
    wanted = _parser().parse_args()
    try:
        return asyncio.run(_run(wanted, DatabaseSettings.load().database_url))
    except CannotGoOn as error:
        return refuse(error, error.exit_code)


async def _run(wanted: argparse.Namespace, url: str) -> int:
    database = open_access(url)
    try:
        await migrate(database, "access")
        await wanted.action(ApiKeys(database), wanted)
    except (NameTaken, NoSuchKey) as error:
        return refuse(error, FAILED)
    except DatabaseUnreachable as error:
        return refuse(f"{error} ({where_it_is(url)})", UNREACHABLE)
    finally:
        await database.close()
    return 0


async def _create(keys: ApiKeys, wanted: argparse.Namespace) -> None:
    scopes = wanted.scopes or ["read", "submit"]
    key, secret = await keys.create(wanted.name, scopes, wanted.rate, wanted.body_limit)
    if wanted.json:
        show(json.dumps(_told(key) | {"key": secret}))
    else:
        sys.stderr.write(f"{key.name} may {', '.join(key.scopes)}. Keep this key: it is not shown again.\n")
        show(secret)


async def _list(keys: ApiKeys, wanted: argparse.Namespace) -> None:
    found = [_told(key) for key in await keys.all()]
    if wanted.json:
        show(json.dumps({"keys": found}))
        return
    row = "{name:20} {id:16} {scopes:21} {requests_per_second:>10} {body_bytes:>10} {created_at:19} {revoked_at}"
    heads = {"requests_per_second": "requests/s", "body_bytes": "body bytes", "created_at": "created"}
    show(row.format(name="name", id="id", scopes="scopes", revoked_at="revoked", **heads).rstrip())
    for key in found:
        told = {name: "" if value is None else str(value)[:19] for name, value in key.items()}
        show(row.format(**told | {"name": key["name"], "scopes": ", ".join(key["scopes"])}).rstrip())


async def _revoke(keys: ApiKeys, wanted: argparse.Namespace) -> None:
    key = await keys.revoke(wanted.name_or_id)
    show(json.dumps(_told(key)) if wanted.json else f"{key.name} ({key.id}) is revoked: every API knows it within 5 s")


def _told(key: ApiKey) -> dict[str, Any]:
    told = asdict(key) | {
        "created_at": key.created_at.isoformat(),
        "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
    }
    del told["hash"]
    return told


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("topicflow keys", description="API keys, where the API's database is.")
    commands = parser.add_subparsers(required=True, metavar="create|list|revoke")

    create = commands.add_parser("create", help="make a key and show it, this once")
    create.add_argument("name", type=_name, metavar="NAME", help="whose it is: part of what its holder submits")
    scope = "what it may, repeatable; without it read and submit"
    create.add_argument("--scope", action="append", dest="scopes", choices=SCOPES, help=scope)
    rate = "requests a second, in each replica; without it TOPICFLOW_REQUESTS_PER_SECOND"
    create.add_argument("--rate", type=number(1, 1_000_000), metavar="N", help=rate)
    limit = f"largest body of a request; without it 2 MiB, at most {MOST_BODY_BYTES}"
    create.add_argument("--body-limit", type=number(1, MOST_BODY_BYTES), metavar="BYTES", help=limit)
    create.set_defaults(action=_create)

    commands.add_parser("list", help="all keys, also revoked ones").set_defaults(action=_list)

    revoke = commands.add_parser("revoke", help="from now on it opens nothing")
    revoke.add_argument("name_or_id", metavar="NAME_OR_ID")
    revoke.set_defaults(action=_revoke)

    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="for scripts")
    return parser


def _name(text: str) -> str:
    if not NAME.fullmatch(text) or text in {LOCAL.name, PROBE.name}:
        raise argparse.ArgumentTypeError("letters, digits, '.', '_' and '-', at most 64, and not 'local' or 'probe'")
    return text


if __name__ == "__main__":
    sys.exit(main())
