"""The command people type. Starts the services and talks to the API; imports none of them."""
