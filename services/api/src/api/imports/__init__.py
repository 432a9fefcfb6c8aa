"""Routes that bring over what an old system holds."""
