"""All SQL of notifications; row security narrows every statement to the tenant of the transaction."""
