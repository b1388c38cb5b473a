"""The name under which this service reads Kafka, and under which the inbox remembers what was handled."""

CONSUMER = "notifications"
