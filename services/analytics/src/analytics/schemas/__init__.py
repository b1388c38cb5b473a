"""HTTP bodies."""
