"""Follows submissions and events: over the event stream of the server, or by polling."""
