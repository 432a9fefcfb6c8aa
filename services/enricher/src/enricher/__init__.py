"""Enriches scientific articles: annotates them, then writes the catalogue."""
