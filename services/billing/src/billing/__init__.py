"""Billing: turns what happens to appointments into invoices, credit notes and a balanced journal."""
