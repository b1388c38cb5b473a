"""Identifiers that cross service borders: one type each, so that no two kinds can be mixed up."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

from uuid_utils.compat import uuid7

TenantId = NewType("TenantId", UUID)
UserId = NewType("UserId", UUID)
SessionId = NewType("SessionId", UUID)
InvitationId = NewType("InvitationId", UUID)
PatientId = NewType("PatientId", UUID)
TherapistId = NewType("TherapistId", UUID)
AppointmentId = NewType("AppointmentId", UUID)
InvoiceId = NewType("InvoiceId", UUID)
CreditNoteId = NewType("CreditNoteId", UUID)
ConversationId = NewType("ConversationId", UUID)
MessageId = NewType("MessageId", UUID)
AttachmentId = NewType("AttachmentId", UUID)
AnalysisId = NewType("AnalysisId", UUID)
AlertId = NewType("AlertId", UUID)
NotificationId = NewType("NotificationId", UUID)
WindowId = NewType("WindowId", UUID)
EventId = NewType("EventId", UUID)


def new_id() -> UUID:
    """Return a fresh UUID version 7 (RFC 9562): ids of one process sort in the order they were made."""
    return uuid7()
