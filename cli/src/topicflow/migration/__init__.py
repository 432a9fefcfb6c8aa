"""What the old systems hold, and how it is brought over."""
