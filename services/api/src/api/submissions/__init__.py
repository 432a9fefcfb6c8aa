"""Shared by topics and articles."""
