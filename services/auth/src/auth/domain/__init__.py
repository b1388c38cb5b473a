"""What auth decides: accounts, sessions, invitations, lockout and key rotation, in plain Python."""
