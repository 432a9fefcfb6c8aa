"""Kafka from outside its groups: what is there, what is missing, what lags."""
