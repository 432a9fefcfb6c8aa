"""`topicflow submit` and `topicflow topics …`."""
