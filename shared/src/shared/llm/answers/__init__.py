"""A model's answers: their schema, extraction and validation."""
