"""What is generated from the event contract: JSON schemas, docs/events.md and docs/asyncapi.yaml."""
