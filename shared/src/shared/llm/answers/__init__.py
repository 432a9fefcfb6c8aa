"""What a model answered: found, validated, described."""
