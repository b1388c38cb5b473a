"""Notifications: alerts and notifications."""
