"""The rules of ml-scoring, in plain Python."""
