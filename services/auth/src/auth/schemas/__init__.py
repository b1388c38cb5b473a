"""HTTP bodies of auth."""
