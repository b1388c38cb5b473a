"""All SQL of auth: rows in and out, decisions elsewhere."""
