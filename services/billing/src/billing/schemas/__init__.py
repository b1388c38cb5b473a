"""Bodies and parameters of the HTTP interface: camelCase on the wire, unknown fields refused; and the PDF of an invoice."""
