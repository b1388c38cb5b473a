"""The verbs of auth; each owns its one transaction."""
