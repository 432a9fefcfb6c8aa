"""Gemini over HTTP, simulated."""
