"""What goes out of this service: wakes to the socket processes, and calls to whoever keeps the key-encryption keys."""
