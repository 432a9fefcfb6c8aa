"""`topicflow articles …`."""
