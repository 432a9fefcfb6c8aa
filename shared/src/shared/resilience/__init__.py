"""What is done about errors: retries, circuit breaker, outage detection."""
