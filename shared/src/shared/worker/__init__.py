"""The runtime of workers: from a fetched delivery to its stored outcome."""
