"""The verbs of billing; each owns its one transaction."""
