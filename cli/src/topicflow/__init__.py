"""The command line. Starts the services and calls the API; imports none of them."""
