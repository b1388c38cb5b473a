"""The verbs of notifications; each owns its one transaction."""
