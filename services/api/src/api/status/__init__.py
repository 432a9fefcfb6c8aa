"""Routes for the state of the whole system."""
