"""Therapist directory, working hours and appointments."""
