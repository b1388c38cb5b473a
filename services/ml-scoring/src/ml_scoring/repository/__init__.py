"""All SQL of ml-scoring; row security narrows every statement to the tenant of the transaction."""
