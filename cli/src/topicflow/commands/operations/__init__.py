"""`topicflow status`, `stats` and `usage`."""
