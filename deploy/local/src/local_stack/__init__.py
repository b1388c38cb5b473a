"""The whole platform on one machine without Docker, and the real servers that tests run on."""
