"""Redis Streams (Redis ≥ 7.2, Valkey)."""
