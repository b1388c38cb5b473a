"""All SQL of this service; row security narrows every statement to the tenant of the transaction."""
