"""What commands do, whatever shows it."""
