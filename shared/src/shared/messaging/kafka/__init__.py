"""Kafka (≥ 3.0): here alone positions are offsets, and streams Kafka topics."""
