"""What is told to the projectors of these tests."""

from integration.stories import history

HISTORY = history(150)
HALF = len(HISTORY) // 2
