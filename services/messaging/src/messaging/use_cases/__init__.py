"""The verbs of messaging; each owns its one transaction."""
