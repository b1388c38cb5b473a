"""Data keys that seal texts, and the key-encryption keys that wrap them."""
