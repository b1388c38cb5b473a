"""Conversations between people who care for each other, and what is written in them: plain Python, no framework."""
