"""`topicflow keys` beside a running topicflow: a created key works with the API."""

from pathlib import Path

from e2e.local_mode import LocalMode, run


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
