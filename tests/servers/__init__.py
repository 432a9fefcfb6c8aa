"""Real servers and services for tests: started, killed, frozen and stopped at will."""

from servers.catalog import CatalogSimulator
from servers.deployment import MODULES, Deployment
from servers.gemini import GeminiSimulator
from servers.kafka import KafkaServer
from servers.ports import LOOPBACK, free_port
from servers.postgres import PostgresServer
from servers.process import Process
from servers.stack import Stack, Stacks
from servers.valkey import ValkeyServer

__all__ = [
    "LOOPBACK",
    "MODULES",
    "CatalogSimulator",
    "Deployment",
    "GeminiSimulator",
    "KafkaServer",
    "PostgresServer",
    "Process",
    "Stack",
    "Stacks",
    "ValkeyServer",
    "free_port",
]
