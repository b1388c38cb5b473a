"""Routes of the chain, for administrators."""

from __future__ import annotations

from fastapi import APIRouter, Response

from bloom_events.alerts import ChainStep
from bloom_events.ids import UserId
from notifications.dependencies import Administrator, Now, Seen, Uow
from notifications.domain.chain import Chain
from notifications.domain.outcomes import PersonCannotBeCalled
from notifications.routes.answers import answers
from notifications.schemas.chains import ChainRequest, ChainResponse
from notifications.use_cases import chains as use_cases
from service_kit.errors import Forbidden, PreconditionFailed, PreconditionRequired
from service_kit.etags import etag

chains = APIRouter(prefix="/api/alerts", tags=["chain"])


@chains.get("/chain", responses=answers(Forbidden, etag=200))
async def get_chain(_administrator: Administrator, uow: Uow, response: Response) -> ChainResponse:
    """Who is called after the therapists, and how long each step has. Revision 0 is the platform's own chain."""
    return _tagged(await use_cases.get_chain(uow), response)


@chains.put("/chain", responses=answers(Forbidden, PersonCannotBeCalled, PreconditionFailed, PreconditionRequired, etag=200))
async def set_chain(
    *, body: ChainRequest, caller: Administrator, uow: Uow, now: Now, seen: Seen, response: Response
) -> ChainResponse:
    """Puts a chain in force, for open alerts too. After its last step everybody is called again, until somebody acknowledges."""
    chain = await use_cases.set_chain(
        uow,
        supervisors=body.people_of(ChainStep.SUPERVISOR),
        on_call=body.people_of(ChainStep.ON_CALL),
        deadlines=body.step_deadlines(),
        seen=seen - 1,
        set_by=UserId(caller.subject),
        now=now,
    )
    return _tagged(chain, response)


# A chain that nobody has set has the revision 0, and an ETag counts from 1.
def _tagged(chain: Chain, response: Response) -> ChainResponse:
    response.headers["ETag"] = etag(chain.revision + 1)
    return ChainResponse.of(chain)
