"""Auth: who somebody is, what role they have, and how other services can tell."""
