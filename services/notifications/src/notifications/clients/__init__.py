"""Keys, and what is asked of others."""
