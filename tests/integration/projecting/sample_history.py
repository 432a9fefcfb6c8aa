"""The events for the projectors of these tests."""

from integration.event_history import history

HISTORY = history(150)
HALF = len(HISTORY) // 2
