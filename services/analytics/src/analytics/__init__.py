"""Windowed results over the events of all services: counts, sums and percentiles, never a person."""
