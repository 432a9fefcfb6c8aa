"""Kafka as one process on this machine's Java: broker and controller together, small and quick to start."""

import signal
import socket
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local_processes.errors import Failed
from local_processes.plain_text import one_line
from local_servers import kafka_jars
from local_servers.server import LOOPBACK

CLUSTER = "dG9waWNmbG93LWxvY2FsLQ"  # cluster id: 16 bytes in base64; the same in every folder
JVM = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # starts in 3.7 s, not 5.5 s
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.coordinator.group=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)
ONE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "CLIENTS",
    "auto.create.topics.enable": "false",  # provisioning creates the streams
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",  # so that tests need not wait 6 s for a dead member
    "broker.session.timeout.ms": "3000",  # after kill -9, the broker can register again once it has passed
    "broker.heartbeat.interval.ms": "500",
    "log.cleaner.dedupe.buffer.size": str(8 * 1024**2),  # default: 128 MB
}
METADATA, VERSION, NO_CLIENT_ID = 3, 1, -1


@dataclass(frozen=True, slots=True)
class Listener:
    """An additional listener for clients. `protocol`: SASL_PLAINTEXT, SSL or SASL_SSL; `settings`: those with the
    prefix `listener.name.<name>.` in Kafka's documentation, e.g. `ssl.keystore.location`, `sasl.enabled.mechanisms`,
    `plain.sasl.jaas.config`."""

    port: int
    protocol: str
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kafka:
    folder: Path
    port: int
    controller_port: int
    listeners: Mapping[str, Listener] = field(default_factory=dict)  # by name
    properties: Mapping[str, str] = field(default_factory=dict)  # override ours
    scram: Mapping[str, str] = field(
        default_factory=dict
    )  # passwords by user, for SCRAM-SHA-512; only read when the data folder is created
    jvm: Sequence[str] = ()  # additional options
    name: str = "Kafka"
    setting: str = "TOPICFLOW_BROKER_URL"
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"kafka://{LOOPBACK}:{self.port}"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.port, self.controller_port, *(listener.port for listener in self.listeners.values()))

    @property
    def log(self) -> Path:
        return self.folder / "kafka.log"

    @property
    def settings(self) -> dict[str, str]:
        """The content of server.properties."""
        return {
            **ONE_NODE,
            "controller.quorum.voters": f"1@{LOOPBACK}:{self.controller_port}",
            "log.dirs": str(self._data),
            **self._listeners(),
            **self.properties,
        }

    def command(self) -> list[str]:
        """Creates the data folder and the jar cache if they are missing, writes the settings and returns the command.

        Raises Failed without Java or Maven.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        properties_file = self.folder / "server.properties"
        properties_file.write_text("".join(f"{name}={value}\n" for name, value in self.settings.items()))
        if not (self._data / "meta.properties").exists():
            self._format(properties_file)
        return [*self._java(), "kafka.Kafka", str(properties_file)]

    def answers(self) -> bool:
        """Whether its metadata lists a broker, which happens shortly after the port opens."""
        request = struct.pack(">hhihi", METADATA, VERSION, 0, NO_CLIENT_ID, 0)
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=2) as connection:
                connection.sendall(struct.pack(">i", len(request)) + request)
                _size, _id, brokers = struct.unpack(">iii", connection.makefile("rb").read(12))
                return bool(brokers)
        except (OSError, struct.error):
            return False

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _java(self) -> list[str]:
        return [kafka_jars.java(), *JVM, *self.jvm, "-cp", kafka_jars.class_path()]

    def _format(self, properties_file: Path) -> None:
        command = [*self._java(), "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(properties_file)]
        for user, password in self.scram.items():
            command += ["--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]"]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            raise Failed(f"Kafka cannot use {self.folder}: {one_line(result.stdout + result.stderr)}")

    def _listeners(self) -> dict[str, str]:
        listeners = {"CLIENTS": Listener(self.port, "PLAINTEXT"), **self.listeners}
        addresses = ",".join(f"{name}://{LOOPBACK}:{listener.port}" for name, listener in listeners.items())
        protocols = ",".join(f"{name}:{listener.protocol}" for name, listener in listeners.items())
        return {
            "listeners": f"{addresses},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            "advertised.listeners": addresses,
            "listener.security.protocol.map": f"{protocols},CONTROLLER:PLAINTEXT",
        } | {
            f"listener.name.{name.lower()}.{key}": value
            for name, listener in listeners.items()
            for key, value in listener.settings.items()
        }
