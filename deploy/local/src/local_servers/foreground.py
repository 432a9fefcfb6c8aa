"""Runs one server until Ctrl-C, SIGTERM or a closed terminal."""

import signal
import subprocess
import time
from collections.abc import Callable

from local_processes.die_with_parent import ending_with_parent
from local_processes.errors import Failed
from local_processes.ports import require_free
from local_processes.stop_signals import stop_signals
from local_servers.server import ServerProgram


def run(server: ServerProgram, say: Callable[[str], None]) -> None:
    """Returns after a stop signal, when the server has ended. Raises InUse if a port is taken, Failed if it cannot
    run."""
    for port in server.ports:
        require_free(port)
    command = ending_with_parent(server.command())
    signals: list[int] = []
    with server.log.open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def stop(number: int, _: object) -> None:
        signals.append(number)
        process.send_signal(server.stop_signal)

    for number in stop_signals():
        signal.signal(number, stop)
    while process.poll() is None and not server.answers():
        time.sleep(0.05)
    if process.poll() is None and not signals:
        say(f"{server.name} is ready: {server.setting}={server.url} (log: {server.log}; Ctrl-C stops it)")
    code = process.wait()
    if not signals:
        raise Failed(f"{server.name} ended (exit code {code}): see {server.log}")
