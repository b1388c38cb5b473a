"""What a laboratory's document is: where it may lie, what its bytes must be, and the row that lists it."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

LARGEST_BYTES = 25 * 1024 * 1024
_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_KEY = re.compile(rf"incoming/(?P<tenant>{_ID})/(?P<patient>{_ID})/(?P<document>{_ID})\.pdf")


class UnfitDocument(Exception):  # noqa: N818  # named for what came in
    """What was put there is no document of a laboratory: it is parked for a person, and the reason names no content."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose document it is, as its key says: ids alone."""

    tenant_id: UUID
    patient_id: UUID
    document_id: UUID


def place_of(key: str) -> Place:
    """Read `incoming/<tenant>/<patient>/<document>.pdf`; raises UnfitDocument for any other key."""
    found = _KEY.fullmatch(key)
    if found is None:
        raise UnfitDocument("the key is not incoming/<tenant>/<patient>/<document>.pdf")
    return Place(UUID(found["tenant"]), UUID(found["patient"]), UUID(found["document"]))


def check_pdf(content: bytes) -> None:
    """Raise UnfitDocument unless these bytes begin and end as a PDF does."""
    if not content.startswith(b"%PDF-"):
        raise UnfitDocument("the content does not begin as a PDF does")
    if b"%%EOF" not in content[-1024:]:
        raise UnfitDocument("the content ends before the PDF does")


def row(place: Place, *, bucket: str, key: str, version: str, content: bytes, received_at: datetime) -> dict[str, dict[str, str]]:
    """The document in DynamoDB's form: by tenant and id, and by patient in the order of time."""
    time = received_at.isoformat()
    tenant = f"TENANT#{place.tenant_id}"
    texts = {
        "pk": f"{tenant}#LAB#{place.document_id}",
        "sk": "VERSION#1",
        "gsi1_pk": f"{tenant}#PATIENT#{place.patient_id}",
        "gsi1_sk": f"LAB#{time}",
        "bucket": bucket,
        "object_key": key,
        "object_version": version,
        "sha256": hashlib.sha256(content).hexdigest(),
        "received_at": time,
    }
    return {name: {"S": text} for name, text in texts.items()} | {"size_bytes": {"N": str(len(content))}}
