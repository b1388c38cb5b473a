"""Billing's API with a leak of each kind in it, for the test that has to notice them: `python tests/e2e/leaky_api.py`."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from billing.main import create_app
from billing.settings import Settings
from service_kit.logs import get_logger
from service_kit.metrics import counter
from service_kit.process import run_api
from service_kit.tracing import span

LEAKY = "/api/leaky"
"""The route that tells everybody what it was sent."""


class TellTale:
    """Repeats the body of a request in the log, in a span, in a metric and in the refusal."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = get_logger("telltale")
        self._said = counter("telltale_texts", "What was said.", "text")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != LEAKY:
            await self._app(scope, receive, send)
            return
        text = (await Request(scope, receive).body()).decode()
        with span("telltale", attributes={"text": text}):
            self._log.warning("request.refused", text=text)
            self._said.labels(text).inc()
            await JSONResponse({"detail": text}, 400)(scope, receive, send)


def create_leaky_app(settings: Settings) -> FastAPI:
    """The API as it is, behind the telltale."""
    app = create_app(settings)
    app.add_middleware(TellTale)
    return app


if __name__ == "__main__":
    run_api(create_leaky_app, Settings())
