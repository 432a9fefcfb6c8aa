"""Tests with thousands of random examples: all of them in `make test-all`, every twentieth in `make test`."""

import os

from hypothesis import HealthCheck, settings


def fuzzed(examples: int) -> settings:
    """A decorator beside `given`."""
    is_complete = os.environ.get("TOPICFLOW_TEST_EXAMPLES") == "all"
    return settings(
        max_examples=examples if is_complete else examples // 20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
