"""The verbs of ml-scoring; each owns its one transaction."""
