"""ML scoring: risk scores of messages."""
