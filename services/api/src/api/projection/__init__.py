"""Reads of the projection."""
