"""The work behind the commands, independent of how it is displayed."""
