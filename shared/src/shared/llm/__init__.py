"""Gemini: its client, keys, limits, prompts and prices."""
