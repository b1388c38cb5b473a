"""What auth uses beyond its own rows: the password hashing threads and the cryptography of keys and access tokens."""
