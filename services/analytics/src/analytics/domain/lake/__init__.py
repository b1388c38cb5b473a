"""The lake: what of every event is kept for analysts, under which names and types, and what is kept from them."""
