"""Backup of PostgreSQL and of what Kafka knows beside its records, restore, and the drill that measures both."""
