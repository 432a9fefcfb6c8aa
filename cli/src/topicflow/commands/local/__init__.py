"""`topicflow up`."""
