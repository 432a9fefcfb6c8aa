"""Redis Streams (Redis ≥ 7.2, Valkey)."""

PARTITION = 0  # the only one
