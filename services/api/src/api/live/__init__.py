"""Live: the change feed of the projection as server-sent events."""
