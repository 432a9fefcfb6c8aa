"""What topics and articles have in common."""
