"""Settings of a Kafka listener with passwords and a certificate."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from local_processes.ports import LOOPBACK

_MODULES = "org.apache.kafka.common.security"


def plain(passwords: Mapping[str, str]) -> dict[str, str]:
    """By user."""
    users = " ".join(f'user_{user}="{password}"' for user, password in passwords.items())
    return {
        "sasl.enabled.mechanisms": "PLAIN",
        "plain.sasl.jaas.config": f"{_MODULES}.plain.PlainLoginModule required {users};",
    }


def scram() -> dict[str, str]:
    """The users are an argument of KafkaServer."""
    return {
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "scram-sha-512.sasl.jaas.config": f"{_MODULES}.scram.ScramLoginModule required;",
    }


def certificate(folder: Path) -> Path:
    """Made for this machine's loopback; clients trust the same file. Contains the key too, as Kafka requires."""
    made, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", f"/CN={LOOPBACK}", "-addext", f"subjectAltName=IP:{LOOPBACK}"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject]
    subprocess.run([*command, "-keyout", str(key), "-out", str(made)], check=True, capture_output=True)
    made.write_text(key.read_text() + made.read_text())
    return made


def keystore(certificate: Path) -> dict[str, str]:
    return {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(certificate)}
