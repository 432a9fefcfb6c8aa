"""Routes of articles."""
