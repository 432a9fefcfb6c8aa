"""`topicflow import` of the old Redis set: its articles are not paid for again, and the set is only read."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.local_mode import LocalMode, run
from eventually import eventually
from integration.api import Api
from integration.test_articles import all_ended, ended, post, scanned
from redis import Redis
from servers import Deployment, ValkeyServer, free_port

from shared.streams import ENRICHER, PROJECTOR
from simulators.catalog.articles import invented

SET = "enrichment:processed"
ONE = "urn:article:nuts-meta-analysis"


@pytest.fixture
def old(valkey: ValkeyServer) -> Iterator[Redis]:
    """The Redis of the old system, with a user who can only read the set."""
    with Redis.from_url(valkey.url) as client:
        client.execute_command("ACL", "SETUSER", "reader", "on", ">secret", f"%R~{SET}", "+scard", "+sscan")
        yield client


def url_of(valkey: ValkeyServer) -> str:
    return f"redis://reader:secret@127.0.0.1:{valkey.port}/0"


def number(local_mode: LocalMode, search: str) -> int:
    return int(local_mode.get(f"/api/v1/articles?limit=1&search={search}").json()["total_count"])


def status_count(local_mode: LocalMode, search: str) -> int:
    """By paging through the whole list, because counts stop at 10,000."""
    total, cursor = 0, ""
    while True:
        page = local_mode.get(f"/api/v1/articles?limit=100&status=completed&search={search}{cursor}").json()
        total += len(page["articles"])
        if not page["next_cursor"]:
            return total
        cursor = f"&cursor={page['next_cursor']}"


async def test_a_scan_pays_for_no_imported_article_until_it_is_edited(
    deployment: Deployment, valkey: ValkeyServer, old: Redis, tmp_path: Path
) -> None:
    with_text = [urn for urn, article in invented().items() if article["abstract"] or article["content"]]
    old.sadd(SET, *(urn for urn in invented() if urn not in with_text[-2:]))
    brought, seen = old.scard(SET), len(invented())
    assert ONE not in with_text[-2:]
    for service in ("api", PROJECTOR):
        deployment.add(service, ENABLE_BACKGROUND_WORKER="true", WORKER_POLL_INTERVAL="100000")
    async with deployment.client() as client:
        api = await Api(deployment, client).up()
        done = run(tmp_path, "import", url_of(valkey), "--url", deployment.url)
        assert (done.code, done.out) == (0, f"{brought} imported, 0 skipped\n"), done.err
        await eventually(lambda: is_brought(api, seen - 2), within=20)

        deployment.add(ENRICHER, "enricher-1")
        first = await scanned(api, "scan 1")
        assert (first["seen"], first["submitted"]) == (seen, 2)
        numbers = await all_ended(api)
        assert [numbers[name] for name in ("processed", "failed", "skipped")] == [2, 0, 0]
        assert deployment.gemini.calls["calls"] == 2 * 2
        assert set(deployment.catalog.written) == set(with_text[-2:])

        deployment.catalog.write(ONE, abstract="Another text. It says that nuts were weighed.")
        await post(api, "/articles/scan")
        assert (await scanned(api, "scan 2"))["submitted"] == 1
        assert (await ended(api, ONE, attempt=2))["result"] is not None
        assert deployment.gemini.calls["calls"] == 2 * 3


async def is_brought(api: Api, number: int) -> bool:
    return bool((await api.get("/articles", status="completed", limit=1))["total_count"] == number)


@pytest.mark.slow
async def test_a_large_set_is_imported_and_importing_again_changes_nothing(
    local_mode: LocalMode, valkey: ValkeyServer, old: Redis
) -> None:
    members = [f"urn:article:many-{n}" for n in range(1200)]
    old.sadd(SET, *members, "12345", b"\xff\x1b[2J")
    done = local_mode.run("import", url_of(valkey))
    assert (done.code, done.out) == (1, "1,200 imported, 0 skipped, 2 left out\n")
    assert "left out: '12345': must be a URN like urn:article:some-name" in done.err
    assert "\x1b" not in done.err
    await eventually(lambda: number(local_mode, "many-") == 1200, within=30)
    again = local_mode.run("import", url_of(valkey))
    assert (again.code, again.out.splitlines()) == (
        1,
        ["0 imported, 1,200 skipped, 2 left out", "  skipped: 1,200 already completed here"],
    )
    assert number(local_mode, "many-") == 1200
    assert old.scard(SET) == 1202


@pytest.mark.slow
async def test_after_any_interruption_the_same_command_resumes(
    local_mode: LocalMode, valkey: ValkeyServer, old: Redis
) -> None:
    old.sadd(SET, *(f"urn:article:interrupted-{n}" for n in range(20_000)))
    for end in ("interrupt", "redis"):
        progress = number(local_mode, "interrupted-")
        importing = local_mode.begin("import", url_of(valkey))
        await eventually(lambda n=progress: number(local_mode, "interrupted-") > n, within=30)  # type: ignore[misc]
        if end == "interrupt":
            importing.send_signal(signal.SIGINT)
        else:
            valkey.kill()
        _, err = importing.communicate(timeout=60)
        assert importing.returncode == {"interrupt": 130, "redis": 3}[end], err
        assert " of 20,000 articles" in err.splitlines()[-1]
        assert err.splitlines()[-1].endswith("completed work is kept; run the same command again to continue")
    valkey.start()
    assert local_mode.run("import", url_of(valkey)).code == 4  # its users were not kept
    done = local_mode.run("import", valkey.url)
    assert done.code == 0, done.err
    await eventually(lambda: status_count(local_mode, "interrupted-") == 20_000, within=60)


@pytest.mark.slow
async def test_a_file_with_one_urn_per_line_works_too_and_a_dry_run_changes_nothing(
    local_mode: LocalMode, tmp_path: Path
) -> None:
    file = tmp_path / "processed.txt"
    file.write_text("urn:article:listed-1\r\n\n  urn:article:listed-2  \nurn:article:listed-1\n")
    dry = local_mode.run("import", str(file), "--dry-run")
    assert (dry.code, dry.out) == (0, "dry run, nothing was changed; would be: 2 imported, 0 skipped\n")
    assert number(local_mode, "listed-") == 0
    answer = json.loads(local_mode.run("import", str(file), "--json").out)
    assert answer == {"dry_run": False, "imported": 2, "skipped": 0, "reasons": {}, "left_out": []}
    await eventually(lambda: number(local_mode, "listed-") == 2, within=30)
    shown = json.loads(local_mode.run("articles", "show", "urn:article:listed-1", "--json").out)
    assert (shown["status"], shown["result"], shown["worker"]) == ("completed", None, "import")


def test_an_error_of_the_old_redis_is_reported_in_one_line_without_its_password(
    tmp_path: Path, valkey: ValkeyServer, old: Redis
) -> None:
    here = f"127.0.0.1:{valkey.port}"
    old.set("enrichment:other", "1")
    for source, code, what in [
        (f"redis://:secret@127.0.0.1:{free_port()}/0", 3, "no answer from redis://127.0.0.1:"),
        (f"redis://reader:secret-and-wrong@{here}/0", 4, "denies access to enrichment:processed"),
        (f"redis://default:secret@{here}/0", 2, f"there is no set enrichment:processed at redis://{here}/0"),
        (f"redis://:secret@{here}:1/0", 2, "not a Redis URL"),
        ("redis://:secret@[here/0", 2, "not a Redis URL"),
    ]:
        refused = run(tmp_path, "import", source)
        assert (refused.code, refused.out, refused.err.count("\n")) == (code, "", 1), refused.err
        assert what in refused.err
        assert "secret" not in refused.err
    old.set(SET, "text")
    refused = run(tmp_path, "import", valkey.url)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "WRONGTYPE" in refused.err
