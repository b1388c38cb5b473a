"""Composition root of the API: settings in, wired app out."""

from __future__ import annotations

from fastapi import FastAPI

from billing.routes.invoices import invoices
from billing.routes.terms import terms
from billing.settings import Settings
from service_kit.http_app import create_service_app


def create_app(settings: Settings) -> FastAPI:
    """The API of invoices and of the terms they are made by."""
    return create_service_app(
        settings,
        title="Bloom billing",
        description="Invoices of visits, payments, and the price list and policy they are made by. All times are UTC.",
        # The fixed paths come first: /api/invoices/prices must not be read as an id.
        routers=[terms, invoices],
    )
