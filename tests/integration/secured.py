"""A deployment whose broker and database require passwords, and the secrets that must not leak."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from integration.data_dumps import Dump, kafka, redis
from servers import LOOPBACK, Stack, ValkeyServer, free_port
from servers.found import OwnServer
from servers.secured import scram
from servers.stack import KAFKA, QUICK, VALKEY

from local_servers.kafka import Listener


@dataclass
class Secrets:
    """`values` by name; only names may be printed. `files`: that must contain some of them."""

    folder: Path
    values: dict[str, str] = field(default_factory=dict)
    files: set[Path] = field(default_factory=set)

    def new(self, name: str) -> str:
        """A unique value."""
        self.values[name] = uuid4().hex
        return self.values[name]

    def file(self, name: str, text: str) -> str:
        """The path of a file with this text."""
        path = self.folder / name
        path.write_text(text)
        self.files.add(path)
        return str(path)


@dataclass(frozen=True)
class Secured:
    """`broker`: dumps all of its data."""

    stack: Stack
    secrets: Secrets
    broker: Callable[[], AsyncIterator[Dump]]

    @property
    def by_files(self) -> dict[str, str]:
        """The settings of broker and database, by the names that end in _FILE."""
        settings = {**self.stack.settings, "TOPICFLOW_DATABASE_URL": self.stack.database_url}
        secret = [name for name in settings if name.endswith(("_URL", "_PASSWORD"))]
        paths = {f"{name}_FILE": self.secrets.file(name, settings[name]) for name in secret}
        return dict.fromkeys(secret, "") | paths


@contextmanager
def on_valkey_with_a_password(folder: Path) -> Iterator[Secured]:
    secrets = Secrets(folder)
    valkey = ValkeyServer(folder / "valkey", requirepass=secrets.new("the broker's password"))
    secrets.files.add(folder / "valkey" / "valkey.conf")
    valkey.start()
    try:
        stack = Stack(VALKEY, {"TOPICFLOW_BROKER_URL": valkey.url}, f"sqlite:///{folder}/topicflow.db", valkey)
        yield Secured(stack, secrets, lambda: redis(valkey.url))
    finally:
        valkey.end()


def on_kafka_with_a_password(folder: Path, start: Callable[..., OwnServer], postgres_url: str) -> Secured:
    """`start`: a Kafka with `listeners` and `scram`. The database accepts any password."""
    secrets = Secrets(folder)
    password, listener = secrets.new("the broker's password"), Listener(free_port(), "SASL_PLAINTEXT", scram())
    server = start(listeners={"SECURED": listener}, scram={"topicflow": password})
    settings = {
        "TOPICFLOW_BROKER_URL": f"kafka://{LOOPBACK}:{listener.port}",
        "TOPICFLOW_KAFKA_USERNAME": "topicflow",
        "TOPICFLOW_KAFKA_PASSWORD": password,
        **QUICK,
    }
    url = urlsplit(postgres_url)
    login = f":{secrets.new('the password of the database')}@"
    own = url._replace(netloc=url.netloc.replace("@", login)).geturl()
    return Secured(Stack(KAFKA, settings, own, server), secrets, lambda: kafka(server.url.removeprefix("kafka://")))
