"""Routes by which people become users."""

import orjson
from fastapi import APIRouter, Request, Response

from auth.dependencies import (
    Administrator,
    CallerUnitOfWork,
    CurrentLimits,
    CurrentOrganisations,
    CurrentSettings,
    IdempotencyKey,
    Now,
    OwnOrigin,
    Tools,
    anonymous_once,
)
from auth.domain.outcomes import EmailAlreadyRegistered, InvitationNotUsable, UnknownTenant, WeakPassword
from auth.domain.tokens import InvitationToken
from auth.domain.users import EmailAddress
from auth.schemas.requests import InviteTherapistRequest, RegisterRequest
from auth.schemas.responses import InvitationRecord, InvitationResponse, UserResponse
from auth.use_cases.registration import Newcomer, hash_new_password, invite_therapist, register, register_by_invitation
from bloom_events.auth import Role
from bloom_events.ids import InvitationId
from service_kit import errors
from service_kit.problems import problem_responses
from service_kit.request_scope import CallerOnce
from service_kit.unit_of_work import UnitOfWork

router = APIRouter(prefix="/api/auth", tags=["registration"])


@router.post(
    "/register",
    status_code=201,
    response_model=UserResponse,
    dependencies=[OwnOrigin],
    responses=problem_responses(
        EmailAlreadyRegistered, InvitationNotUsable, UnknownTenant, WeakPassword, errors.RequestInProgress,
        errors.IdempotencyKeyReused, errors.TooManyRequests,
    ),
)  # fmt: skip
async def register_user(
    *,
    body: RegisterRequest,
    request: Request,
    limits: CurrentLimits,
    organisations: CurrentOrganisations,
    tools: Tools,
    now: Now,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Register as a patient (active at once) or as a therapist (waits for verification; with an invitation active at once)."""
    await limits.check_registration()
    invitation = InvitationToken.parse(body.invitation_token, key=tools.keys.invitation) if body.invitation_token else None
    uow = organisations.of_token(invitation) if invitation else await organisations.get(body.tenant)
    email = EmailAddress(body.email)
    password_hash = await hash_new_password(tools.hashing, body.password.get_secret_value(), email=email)
    newcomer = Newcomer(email=email, profile=body.profile, password_hash=password_hash)

    async def work(within: UnitOfWork) -> UserResponse:
        if invitation is not None:
            return UserResponse.of(await register_by_invitation(within, newcomer, token=invitation, now=now))
        return UserResponse.of(await register(within, newcomer, role=Role(body.role), now=now))

    once = await anonymous_once(request, uow, key=idempotency_key)
    return await once.answer(201, work, headers={"Location": "/api/users/me"})


@router.post(
    "/invitations",
    status_code=201,
    response_model=InvitationResponse,
    responses=problem_responses(errors.Forbidden, errors.RequestInProgress, errors.IdempotencyKeyReused),
)
async def invite(
    *,
    body: InviteTherapistRequest,
    caller: Administrator,
    uow: CallerUnitOfWork,
    once: CallerOnce,
    settings: CurrentSettings,
    tools: Tools,
    now: Now,
) -> Response:
    """Invite a therapist. The token works once, for the invited address; hand it over yourself."""

    async def work(within: UnitOfWork) -> InvitationRecord:
        lifetime = settings.invitation_lifetime
        return InvitationRecord.of(
            await invite_therapist(within, caller=caller, email=EmailAddress(body.email), lifetime=lifetime, now=now)
        )

    kept = await once.answer(201, work)
    # The token is made again for each answer, so that what is kept for a repeated request holds no secret.
    record = InvitationRecord.model_validate(orjson.loads(kept.body))
    token = InvitationToken.issue(
        key=tools.keys.invitation, tenant_id=uow.context.tenant_id, invitation_id=InvitationId(record.id)
    )
    answer = InvitationResponse(**record.model_dump(), token=token.encode())
    replayed = {name: value for name, value in kept.headers.items() if name == "idempotency-replayed"}
    return Response(answer.model_dump_json(by_alias=True), 201, replayed, media_type="application/json")
