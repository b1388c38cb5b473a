"""All SQL of billing; row security narrows every statement to the tenant of the transaction."""
