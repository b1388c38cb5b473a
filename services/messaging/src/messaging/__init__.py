"""Messaging: conversations between patients and those who care for them."""
