"""Routes that show the whole system."""
