"""What use cases call outside their own rows."""
