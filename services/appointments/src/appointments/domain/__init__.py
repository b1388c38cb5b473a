"""The rules of therapists, their availability and appointments, in plain Python."""

from appointments.domain import appointments, availability, outcomes, slots, therapists, wall_clock

__all__ = ["appointments", "availability", "outcomes", "slots", "therapists", "wall_clock"]
