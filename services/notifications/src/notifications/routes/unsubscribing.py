"""Routes behind the unsubscribe links of e-mails: no sign-in, but a signed token. Mail programs use the POST (RFC 8058)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from notifications.dependencies import Links, Now, Token, unit_of_work_of
from notifications.domain.refusals import LinkNotValid
from notifications.routes.answers import answers
from notifications.schemas.pages import asking_page, done_page, page_response
from notifications.use_cases import preferences as use_cases

unsubscribing = APIRouter(prefix="/api/notifications", tags=["notifications"])

_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "A page for people."}
}


@unsubscribing.get("/unsubscribe", response_class=Response, responses={**answers(LinkNotValid), **_PAGE})
async def show_unsubscription(request: Request, token: Token, links: Links) -> Response:
    """Asks whoever follows a link whether they mean it. A link alone changes nothing: mail scanners follow them all."""
    wish = links.read(token)
    locale = await use_cases.find_locale(unit_of_work_of(request, wish.tenant_id), wish.user_id)
    return page_response(asking_page(wish, locale))


@unsubscribing.post("/unsubscribe", response_class=Response, responses={**answers(LinkNotValid), **_PAGE})
async def unsubscribe(request: Request, token: Token, links: Links, now: Now) -> Response:
    """No more e-mails of the kind that the link came with; once more changes nothing."""
    wish = links.read(token)
    locale = await use_cases.unsubscribe(unit_of_work_of(request, wish.tenant_id), wish, now=now)
    return page_response(done_page(wish, locale))
