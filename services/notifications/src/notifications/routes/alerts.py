"""Routes of alerts: see, acknowledge, hand over, resolve."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from notifications.dependencies import Notes, Now, SeenIfGiven, Uow, Visible
from notifications.domain.alerts import Alert, AlertStatus
from notifications.domain.outcomes import (
    AlertAlreadyAcknowledged,
    AlertAlreadyResolved,
    AlertNotAcknowledged,
    AlertNotFound,
    NobodyToHandOverTo,
    PersonCannotBeCalled,
)
from notifications.routes.answers import answers
from notifications.schemas.alerts import AlertResponse, HandOverRequest, ResolveRequest, TimelineResponse, after_alert
from notifications.use_cases import alerts as use_cases
from service_kit.errors import Forbidden, InvalidCursor, PreconditionFailed, Problem
from service_kit.etags import etag
from service_kit.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, page_of

alerts = APIRouter(prefix="/api/alerts", tags=["alerts"])

_ALWAYS: tuple[type[Problem], ...] = (Forbidden, AlertNotFound)
_CHANGING: tuple[type[Problem], ...] = (*_ALWAYS, AlertAlreadyResolved, PreconditionFailed)

Statuses = Annotated[
    list[AlertStatus] | None,
    Query(alias="status", max_length=len(AlertStatus), description="Any of these; open ones are the first two."),
]


@alerts.get("", responses=answers(Forbidden, InvalidCursor))
async def list_alerts(
    *, visible: Visible, uow: Uow, statuses: Statuses = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[AlertResponse]:
    """The alerts about which the caller was called, or all of them for administrators, the newest first."""
    found = await use_cases.list_alerts(uow, visible, statuses or (), after=after_alert(cursor), limit=limit + 1)
    return page_of(found, limit=limit, present=AlertResponse.of, key=lambda alert: (alert.alert_id,))


@alerts.get("/{alert_id}", responses=answers(*_ALWAYS, etag=200))
async def get_alert(alert_id: UUID, visible: Visible, uow: Uow, notes: Notes, response: Response) -> AlertResponse:
    """One alert. What was written when it was resolved is shown to those who were called alone."""
    alert, note = await use_cases.get_alert(uow, alert_id, visible, notes)
    response.headers["ETag"] = etag(alert.revision)
    return AlertResponse.of(alert, note)


@alerts.get("/{alert_id}/timeline", responses=answers(*_ALWAYS))
async def get_timeline(alert_id: UUID, visible: Visible, uow: Uow) -> TimelineResponse:
    """Every hop with its time: written, committed, read by the scorer, scored, raised, pushed, seen, sent, answered, resolved."""
    return TimelineResponse.of(alert_id, await use_cases.get_timeline(uow, alert_id, visible))


@alerts.post("/{alert_id}/acknowledge", responses=answers(*_CHANGING, AlertAlreadyAcknowledged, etag=200))
async def acknowledge_alert(
    *, alert_id: UUID, visible: Visible, uow: Uow, now: Now, seen: SeenIfGiven, response: Response
) -> AlertResponse:
    """The caller takes the alert in hand, so nobody else is called. Asking again changes nothing."""
    return _tagged(await use_cases.acknowledge(uow, alert_id, visible, seen=seen, now=now), response)


@alerts.post(
    "/{alert_id}/hand-over",
    responses=answers(*_CHANGING, AlertNotAcknowledged, NobodyToHandOverTo, PersonCannotBeCalled, etag=200),
)
async def hand_over_alert(
    *, alert_id: UUID, body: HandOverRequest, visible: Visible, uow: Uow, now: Now, seen: SeenIfGiven, response: Response
) -> AlertResponse:
    """Asks others to take an acknowledged alert in hand; they are called, and after them the chain goes on."""
    return _tagged(await use_cases.hand_over(uow, alert_id, visible, body.successor(), seen=seen, now=now), response)


@alerts.post("/{alert_id}/resolve", responses=answers(*_CHANGING, AlertNotAcknowledged, etag=200))
async def resolve_alert(
    *,
    alert_id: UUID,
    body: ResolveRequest,
    visible: Visible,
    uow: Uow,
    now: Now,
    seen: SeenIfGiven,
    notes: Notes,
    response: Response,
) -> AlertResponse:
    """Ends an acknowledged alert with a note, which is kept sealed and is in no event and no log."""
    return _tagged(await use_cases.resolve(uow, alert_id, visible, notes, note=body.note, seen=seen, now=now), response)


def _tagged(alert: Alert, response: Response) -> AlertResponse:
    response.headers["ETag"] = etag(alert.revision)
    return AlertResponse.of(alert)
