"""The web pages of the hub."""
