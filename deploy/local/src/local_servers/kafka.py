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

CLUSTER = "dG9waWNmbG93LWxvY2FsLQ"  # 16 bytes; every folder is a cluster of its own all the same
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
    "auto.create.topics.enable": "false",  # provisioning makes streams
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",  # tests do not wait 6 s for a death to be noticed
    "broker.session.timeout.ms": "3000",  # after kill -9 the controller lets it in again once this is over
    "broker.heartbeat.interval.ms": "500",
    "log.cleaner.dedupe.buffer.size": str(8 * 1024**2),  # 128 MB otherwise
}
METADATA, VERSION, NO_CLIENT_ID = 3, 1, -1


@dataclass(frozen=True, slots=True)
class Listener:
    """One more port for clients. `protocol`: SASL_PLAINTEXT, SSL or SASL_SSL; `settings`: what Kafka's documentation
    puts behind `listener.name.<name>.`, e.g. `ssl.keystore.location`, `sasl.enabled.mechanisms`,
    `plain.sasl.jaas.config`.
    """

    port: int
    protocol: str
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kafka:
    folder: Path
    port: int
    controller_port: int
    listeners: Mapping[str, Listener] = field(default_factory=dict)  # by name
    properties: Mapping[str, str] = field(default_factory=dict)  # over ours
    scram: Mapping[str, str] = field(default_factory=dict)  # passwords by user, for SCRAM-SHA-512; read once
    jvm: Sequence[str] = ()  # options beside ours
    name: str = "Kafka"
    setting: str = "TOPICFLOW_BROKER_URL"
    stops_on: signal.Signals = signal.SIGTERM

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
        """What server.properties says."""
        return {
            **ONE_NODE,
            "controller.quorum.voters": f"1@{LOOPBACK}:{self.controller_port}",
            "log.dirs": str(self._data),
            **self._listeners(),
            **self.properties,
        }

    def command(self) -> list[str]:
        """Makes, once, the folder and, once on a machine, the cache of jars; writes the settings; says how to start it.

        Raises Failed without Java or Maven.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        properties_file = self.folder / "server.properties"
        properties_file.write_text("".join(f"{name}={value}\n" for name, value in self.settings.items()))
        if not (self._data / "meta.properties").exists():
            self._format(properties_file)
        return [*self._java(), "kafka.Kafka", str(properties_file)]

    def answers(self) -> bool:
        """Whether it names itself as a broker that takes requests: its port opens a little earlier."""
        asks = struct.pack(">hhihi", METADATA, VERSION, 0, NO_CLIENT_ID, 0)
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=2) as connection:
                connection.sendall(struct.pack(">i", len(asks)) + asks)
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
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"Kafka cannot use {self.folder}: {one_line(done.stdout + done.stderr)}")

    def _listeners(self) -> dict[str, str]:
        listeners = {"CLIENTS": Listener(self.port, "PLAINTEXT"), **self.listeners}
        reached = ",".join(f"{name}://{LOOPBACK}:{one.port}" for name, one in listeners.items())
        protocols = ",".join(f"{name}:{one.protocol}" for name, one in listeners.items())
        return {
            "listeners": f"{reached},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            "advertised.listeners": reached,
            "listener.security.protocol.map": f"{protocols},CONTROLLER:PLAINTEXT",
        } | {
            f"listener.name.{name.lower()}.{key}": value
            for name, one in listeners.items()
            for key, value in one.settings.items()
        }
