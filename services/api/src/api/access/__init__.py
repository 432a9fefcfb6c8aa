"""Authentication, scopes, rate and body limits, idempotency, back-pressure."""
