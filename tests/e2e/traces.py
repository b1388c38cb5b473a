"""Stories told under a trace of their own, and what their spans say: which process was called by which."""

import secrets
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.care import DESPAIR, Care, heard_alert, lines_of
from tests.e2e.people import Practice, book, eventually

from local_stack.span_sink import KeptSpan, SpanSink

Point = tuple[str, str]
"""A process and the name of a span in it."""

CLIENT: Point = ("client", "")
"""Whoever began the trace."""


@dataclass
class Told:
    """A trace that a client began: its id, the client's own span, and the ids of what came of it."""

    trace_id: str = field(default_factory=lambda: secrets.token_hex(16))
    client_span: str = field(default_factory=lambda: secrets.token_hex(8))
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def header(self) -> dict[str, str]:
        """What the client sends."""
        return {"Traceparent": f"00-{self.trace_id}-{self.client_span}-01"}


def booking(practice: Practice) -> Told:
    """Somebody books a visit."""
    told = Told()
    patient, therapist = practice.patient(), practice.therapist()
    told.ids["appointment"] = book(patient, therapist, **told.header)["id"]
    return told


def crisis(care: Care) -> Told:
    """A patient writes in crisis, the therapist is called at the open page and answers."""
    told = Told()
    with lines_of(care.therapist) as (therapist,):
        body = {"conversationId": care.conversation, "body": DESPAIR}
        message: dict[str, Any] = care.patient.must("POST", "/api/messages", body, **told.header)["message"]
        told.ids = {"message": message["id"], "alert": heard_alert(therapist, care, "raised").data["alertId"]}
        care.therapist.post(f"/api/alerts/{told.ids['alert']}/acknowledge")
    return told


def invitation(practice: Practice) -> Told:
    """A therapist follows an invitation, which every service that knows people hears of."""
    told, somebody = Told(), practice.newcomer()
    token = practice.administrator.post("/api/auth/invitations", {"email": somebody.email})["token"]
    practice.private.add(token)
    login = {"email": somebody.email, "password": somebody.password, "tenant": somebody.tenant, "role": "THERAPIST"}
    body = {**login, "displayName": "Dr. Mo Lind", "invitationToken": token}
    told.ids["user"] = somebody.must("POST", "/api/auth/register", body, **told.header)["id"]
    return told


def spans_of(sink: SpanSink, told: Told, wanted: AbstractSet[tuple[Point, Point]]) -> list[KeptSpan]:
    """The spans of a trace once all of these calls are among them: processes export by the clock, every few seconds."""
    eventually(lambda: not (wanted - calls_of(sink.trace(told.trace_id), told)))
    return sink.trace(told.trace_id)


def calls_of(spans: list[KeptSpan], told: Told) -> set[tuple[Point, Point]]:
    """Who was called by whom, as pairs of points; a span whose parent is not there is called by nobody."""
    points = {span.span_id: (span.process, span.name) for span in spans} | {told.client_span: CLIENT}
    return {(points[span.parent_id], (span.process, span.name)) for span in spans if span.parent_id in points}


def astray(spans: list[KeptSpan], told: Told) -> list[Point]:
    """The spans whose parent is neither in the trace nor the client's: where one process lost what another had told it."""
    known = {span.span_id for span in spans} | {told.client_span}
    return [(span.process, span.name) for span in spans if span.parent_id not in known]
