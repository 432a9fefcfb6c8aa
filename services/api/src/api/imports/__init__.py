"""Routes that import from an old system."""
