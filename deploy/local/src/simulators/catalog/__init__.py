"""The catalogue over HTTP, simulated."""
