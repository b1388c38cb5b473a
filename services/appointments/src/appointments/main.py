"""Composition root of the API: settings in, wired app out."""

from __future__ import annotations

from fastapi import FastAPI

from appointments.routes.appointments import appointments
from appointments.routes.availability import availability
from appointments.routes.therapists import therapists
from appointments.routes.transitions import transitions
from appointments.settings import Settings
from service_kit.http_app import create_service_app


def create_app(settings: Settings) -> FastAPI:
    """The API of therapists, their availability and appointments."""
    return create_service_app(
        settings,
        title="Bloom appointments",
        description="The therapist directory, working hours, free slots, and the life of an appointment. All times are UTC.",
        # The therapist's own paths come first: /api/therapists/me must not be read as an id.
        routers=[availability, therapists, appointments, transitions],
    )
