"""The plumbing of every service; it holds no business word."""
