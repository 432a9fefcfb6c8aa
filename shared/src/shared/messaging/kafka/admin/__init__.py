"""Administers Kafka from outside its groups: inspection, provisioning, lag."""
