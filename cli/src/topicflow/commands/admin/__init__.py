"""`topicflow keys`, `provision` and `import`."""
