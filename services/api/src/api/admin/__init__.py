"""Commands that run beside broker and database."""
