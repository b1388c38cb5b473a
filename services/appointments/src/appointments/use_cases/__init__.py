"""The verbs of this service; each owns its one transaction."""
