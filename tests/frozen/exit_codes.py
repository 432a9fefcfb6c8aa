"""How processes end: the command, run here against an API that answers with each status; services, by their errors."""

import io
import os
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

from typer.main import get_command

from frozen import product
from frozen.http_server import serving

STATUSES = (400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 502, 503, 504)


def exit_codes() -> dict[str, str]:
    lines = {"the command: --version": _exit_code("--version"), "the command: no such option": _exit_code("--no-such")}
    with serving(lambda _, path, __: (int(path.split("/")[1]), {"detail": "as asked"})) as url:
        for status in (200, *STATUSES):
            answered = _exit_code("stats", "--json", "--url", f"{url}/{status}")
            lines[f"the command: the API answers {status}"] = answered
        key = {"TOPICFLOW_API_KEY_FILE": "/no/such/file"}
        lines["the command: a bad setting"] = _exit_code("stats", "--url", f"{url}/200", environment=key)
    lines["the command: nothing answers"] = _exit_code("stats", "--url", url)
    documented = re.findall(r"\b\d+\b", get_command(product.command_app).epilog or "")
    lines |= {f"the command: documented {code}": "a code" for code in documented}
    return lines | {f"a service: {why}": str(error.exit_code) for why, error in product.ENDS_OF_SERVICES.items()}


def _exit_code(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """Hides the environment of the test run."""
    unset = {name: value for name, value in os.environ.items() if not name.startswith("TOPICFLOW_")}
    with (
        patch.object(sys, "argv", ["topicflow", *arguments]),
        patch.dict(os.environ, unset | (environment or {}), clear=True),
        redirect_stdout(io.StringIO()),
        redirect_stderr(io.StringIO()),
    ):
        try:
            product.run_command()
        except SystemExit as end:
            return str(end.code or 0)
    return "0"
