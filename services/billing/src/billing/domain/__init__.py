"""The rules of billing, in plain Python: money, terms, visits, charges, invoices, the ledger and how a visit is settled."""
