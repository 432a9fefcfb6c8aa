"""Article routes."""
