"""`topicflow keys`: creates, lists and revokes API keys in the API's database."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer

from api.access.api_keys import ApiKey, ApiKeys, NameTaken, NoSuchKey
from api.access.callers import LOCAL, MOST_BODY_BYTES, PROBE, Scope
from api.admin.command_line import FAILED, UNREACHABLE, JsonOption, refused, where_it_is
from shared.db.engine import DatabaseUnreachable, open_access
from shared.db.migrate import migrate
from shared.errors import CannotGoOn
from shared.settings import DatabaseSettings

T = TypeVar("T")
NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

app = typer.Typer(
    help="Create, list and revoke API keys in the API's database (TOPICFLOW_DATABASE_URL, TOPICFLOW_DATA)."
)


class ScopeName(StrEnum):
    """SCOPES, because typer takes no list of literals."""

    READ = "read"
    SUBMIT = "submit"
    OPERATE = "operate"


def _name(text: str) -> str:
    if not NAME.fullmatch(text) or text in {LOCAL.name, PROBE.name}:
        raise typer.BadParameter(f"{text!r}: letters, digits, '.', '_' and '-', at most 64, and not 'local' or 'probe'")
    return text


@app.command("create")
def create(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", callback=_name, help="Name of the holder, recorded with each submission."),
    ],
    scopes: Annotated[
        list[ScopeName] | None,
        typer.Option(
            "--scope", metavar="read|submit|operate", help="Scope of the key, repeatable. Default: read and submit."
        ),
    ] = None,
    rate: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1_000_000,
            metavar="N",
            help="Requests per second, in each replica. Default: the API's limit.",
        ),
    ] = None,
    body_limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_BODY_BYTES,
            metavar="BYTES",
            help=f"Maximum size of a request body. Default: 2 MiB; at most {MOST_BODY_BYTES}.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Create a key and show it once."""
    names: list[Scope] = [scope.value for scope in scopes] if scopes else ["read", "submit"]
    key, secret = _run(lambda keys: keys.create(name, names, rate, body_limit))
    if as_json:
        typer.echo(json.dumps(_as_json(key) | {"key": secret}))
    else:
        scopes_of_key = ", ".join(key.scopes)
        typer.echo(f"{key.name} has the scopes {scopes_of_key}. Store this key: it is not shown again.", err=True)
        typer.echo(secret)


@app.command("list")
def list_keys(as_json: JsonOption = False) -> None:
    """List all keys, including revoked ones."""
    keys = [_as_json(key) for key in _run(ApiKeys.all)]
    typer.echo(json.dumps({"keys": keys}) if as_json else _table(keys))


@app.command("revoke")
def revoke(name_or_id: Annotated[str, typer.Argument(metavar="NAME_OR_ID")], as_json: JsonOption = False) -> None:
    """Revoke a key."""
    key = _run(lambda keys: keys.revoke(name_or_id))
    if as_json:
        typer.echo(json.dumps(_as_json(key)))
    else:
        typer.echo(f"{key.name} ({key.id}) is revoked on every replica within 5 s")


def _run(action: Callable[[ApiKeys], Awaitable[T]]) -> T:
    """Raises typer.Exit."""
    try:
        return asyncio.run(_on_database(action, DatabaseSettings.load().database_url))
    except CannotGoOn as error:
        raise refused(error, error.exit_code) from None


async def _on_database(action: Callable[[ApiKeys], Awaitable[T]], url: str) -> T:
    """Raises typer.Exit, CannotGoOn."""
    database = open_access(url)
    try:
        await migrate(database, "access")
        return await action(ApiKeys(database))
    except (NameTaken, NoSuchKey) as error:
        raise refused(error, FAILED) from None
    except DatabaseUnreachable as error:
        raise refused(f"{error} ({where_it_is(url)})", UNREACHABLE) from None
    finally:
        await database.close()


def _table(keys: Sequence[dict[str, Any]]) -> str:
    row = "{name:20} {id:16} {scopes:21} {requests_per_second:>10} {body_bytes:>10} {created_at:19} {revoked_at}"
    heads = {"requests_per_second": "requests/s", "body_bytes": "body bytes", "created_at": "created"}
    lines = [row.format(name="name", id="id", scopes="scopes", revoked_at="revoked", **heads)]
    for key in keys:
        cells = {name: "" if value is None else str(value)[:19] for name, value in key.items()}
        lines.append(row.format(**cells | {"name": key["name"], "scopes": ", ".join(key["scopes"])}))
    return "\n".join(line.rstrip() for line in lines)


def _as_json(key: ApiKey) -> dict[str, Any]:
    fields = asdict(key) | {
        "created_at": key.created_at.isoformat(),
        "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
    }
    del fields["hash"]
    return fields
