"""The API, called over HTTP."""
