"""Kafka and PostgreSQL as processes of this machine, without Docker: for developers and for tests."""
