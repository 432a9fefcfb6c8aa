"""Runs one server until Ctrl-C, SIGTERM or a closed terminal."""

import signal
import subprocess
import time
from collections.abc import Callable

from local_processes.die_with_parent import dying_with_us
from local_processes.errors import Failed
from local_processes.ports import refuse_busy
from local_servers.server import ServerProgram

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(server: ServerProgram, say: Callable[[str], None]) -> None:
    """Returns once it was asked to stop and has. Raises InUse where a port is taken, Failed when it cannot run."""
    for port in server.ports:
        refuse_busy(port)
    command = dying_with_us(server.command())
    signals: list[int] = []
    with server.log.open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def stop(number: int, _: object) -> None:
        signals.append(number)
        process.send_signal(server.stops_on)

    for number in STOPS:
        signal.signal(number, stop)
    while process.poll() is None and not server.answers():
        time.sleep(0.05)
    if process.poll() is None and not signals:
        say(f"{server.name} listens: {server.setting}={server.url} (log: {server.log}; Ctrl-C stops it)")
    code = process.wait()
    if not signals:
        raise Failed(f"{server.name} ended (exit code {code}): see {server.log}")
