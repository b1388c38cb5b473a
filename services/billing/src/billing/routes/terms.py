"""Routes of the price list and the policy, for administrators."""

from __future__ import annotations

from fastapi import APIRouter, Response

from billing.dependencies import Administrator, Now, Seen, Uow
from billing.domain.terms import Policy, PriceInThePast, PriceList
from billing.routes.answers import answers
from billing.schemas.terms import PolicyRequest, PolicyResponse, PriceListRequest, PriceListResponse
from billing.use_cases import terms as use_cases
from billing.use_cases.terms import NewPrice
from service_kit.errors import Forbidden, PreconditionFailed, PreconditionRequired
from service_kit.etags import etag

terms = APIRouter(prefix="/api/invoices", tags=["prices"])


@terms.get("/prices", responses=answers(Forbidden, etag=200))
async def get_prices(_administrator: Administrator, uow: Uow, now: Now, response: Response) -> PriceListResponse:
    """Every price ever set. The price that counts for a visit is the one in force when it starts."""
    prices = await use_cases.get_prices(uow)
    response.headers["ETag"] = _list_etag(prices)
    return PriceListResponse.of(prices, now)


@terms.put("/prices", responses=answers(Forbidden, PriceInThePast, PreconditionFailed, PreconditionRequired, etag=200))
async def set_prices(
    *, body: PriceListRequest, caller: Administrator, uow: Uow, now: Now, seen: Seen, response: Response
) -> PriceListResponse:
    """Adds prices. Drafts of visits that start under a new price change to it; visits that waited for a price are billed.

    The first price of a type of visit counts for earlier visits too.
    """
    new = [NewPrice(p.visit_type, p.currency, p.net_minor, p.tax_basis_points, p.valid_from) for p in body.prices]
    prices = await use_cases.set_prices(uow, new, seen=seen - 1, set_by=caller.subject, now=now)
    response.headers["ETag"] = _list_etag(prices)
    return PriceListResponse.of(prices, now)


@terms.get("/policy", responses=answers(Forbidden, etag=200))
async def get_policy(_administrator: Administrator, uow: Uow, now: Now, response: Response) -> PolicyResponse:
    """The policy in force: fees for late cancellations and missed visits, payment term, and the name on invoices."""
    policy = await use_cases.get_policy(uow, now=now)
    response.headers["ETag"] = _policy_etag(policy)
    return PolicyResponse.of(policy)


@terms.put("/policy", responses=answers(Forbidden, PreconditionFailed, PreconditionRequired, etag=200))
async def set_policy(
    *, body: PolicyRequest, caller: Administrator, uow: Uow, now: Now, seen: Seen, response: Response
) -> PolicyResponse:
    """Puts a policy in force for whatever is cancelled, missed or held from now on."""
    policy = await use_cases.set_policy(uow, body.policy(), seen=seen - 1, set_by=caller.subject, now=now)
    response.headers["ETag"] = _policy_etag(policy)
    return PolicyResponse.of(policy)


# A list that nobody has set has the revision 0, and an ETag counts from 1.
def _list_etag(prices: PriceList) -> str:
    return etag(prices.revision + 1)


def _policy_etag(policy: Policy) -> str:
    return etag(policy.revision + 1)
