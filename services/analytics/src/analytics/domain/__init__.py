"""Metrics, windows and what becomes of them: plain Python."""
