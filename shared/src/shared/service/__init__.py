"""A service's process: start, stop, heartbeat, probes."""
