"""Routes for other services, which name themselves by a signed token; the gateway does not let them through."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from auth.schemas.responses import ContactResponse
from auth.use_cases import profile
from bloom_events.ids import UserId
from service_kit.request_scope import calling_service
from service_kit.unit_of_work import UnitOfWork

router = APIRouter(prefix="/internal", include_in_schema=False)

Notifications = Annotated[UnitOfWork, calling_service("notifications")]


@router.get("/contacts/{user_id}")
async def get_contact(user_id: UUID, uow: Notifications) -> ContactResponse:
    """The address, language and time zone of somebody whom notifications has to write to."""
    return ContactResponse.of(await profile.get_contact(uow, UserId(user_id)))
