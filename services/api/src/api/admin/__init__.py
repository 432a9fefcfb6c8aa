"""Administration commands that access broker and database directly."""
