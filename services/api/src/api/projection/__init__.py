"""What is read of the projection."""
