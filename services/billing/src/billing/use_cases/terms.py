"""Setting and reading the terms of a tenant; a new price reaches every visit that has no number on its invoice yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from billing.domain.terms import Policy, Price, PriceList
from billing.repository.terms import TermsRepository
from billing.repository.visits import VisitRepository
from billing.use_cases.books import settle_visit
from bloom_events.appointments import VisitType
from service_kit.errors import PreconditionFailed
from service_kit.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A price as an administrator sets it; without `valid_from` it is in force at once."""

    visit_type: VisitType
    currency: str
    net_minor: int
    tax_basis_points: int
    valid_from: datetime | None


async def get_prices(uow: UnitOfWork) -> PriceList:
    """Every price ever set."""
    async with uow.begin() as transaction:
        return await TermsRepository(transaction.connection).price_list()


async def set_prices(uow: UnitOfWork, new: Sequence[NewPrice], *, seen: int, set_by: UUID, now: datetime) -> PriceList:
    """Add prices to the list that the caller has seen (0: none was ever set), and settle anew every visit that waits for one."""
    async with uow.begin() as transaction:
        terms = TermsRepository(transaction.connection)
        if (await terms.lock()).prices != seen:
            raise PreconditionFailed
        prices = tuple(_price(price, revision=seen + 1, now=now) for price in new)
        changed = (await terms.price_list()).with_prices(prices, now)
        await terms.add_prices(changed.revision, prices, set_by)
        for visit in await VisitRepository(transaction.connection).waiting([price.visit_type for price in prices]):
            await settle_visit(transaction, visit, now)
    return changed


async def get_policy(uow: UnitOfWork, *, now: datetime) -> Policy:
    """The policy in force."""
    async with uow.begin() as transaction:
        return await TermsRepository(transaction.connection).policy_at(now)


async def set_policy(uow: UnitOfWork, policy: Policy, *, seen: int, set_by: UUID, now: datetime) -> Policy:
    """Put a policy in force for whatever is cancelled, missed or held from now on."""
    async with uow.begin() as transaction:
        terms = TermsRepository(transaction.connection)
        if (await terms.lock()).policy != seen:
            raise PreconditionFailed
        changed = replace(policy, revision=seen + 1)
        await terms.add_policy(changed, valid_from=now, set_by=set_by)
    return changed


def _price(price: NewPrice, *, revision: int, now: datetime) -> Price:
    return Price(
        visit_type=price.visit_type,
        currency=price.currency,
        net_minor=price.net_minor,
        tax_basis_points=price.tax_basis_points,
        valid_from=price.valid_from or now,
        revision=revision,
    )
