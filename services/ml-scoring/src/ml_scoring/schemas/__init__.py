"""HTTP bodies of ml-scoring."""
