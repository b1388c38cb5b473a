"""Reading and setting the chain of a practice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bloom_events.alerts import ChainStep
from bloom_events.ids import UserId
from notifications.domain.chain import Chain, Deadlines
from notifications.domain.outcomes import PersonCannotBeCalled
from notifications.repository.chains import ChainRepository
from notifications.repository.people import PeopleRepository
from service_kit.revisions import check_revision
from service_kit.unit_of_work import UnitOfWork


async def get_chain(uow: UnitOfWork) -> Chain:
    """The chain in force; revision 0 is the platform's own."""
    async with uow.begin() as transaction:
        return await ChainRepository(transaction.connection).current()


async def set_chain(
    uow: UnitOfWork,
    *,
    supervisors: Sequence[UserId],
    on_call: Sequence[UserId],
    deadlines: Mapping[ChainStep, Deadlines],
    seen: int,
    set_by: UserId,
    now: datetime,
) -> Chain:
    """Put a chain in force for every call from now on, those of open alerts too; all named must be people who can be called."""
    async with uow.begin() as transaction:
        chains = ChainRepository(transaction.connection)
        check_revision(current=(await chains.current()).revision, seen=seen)
        chain = Chain(revision=seen + 1, supervisors=tuple(supervisors), on_call=tuple(on_call), deadlines=deadlines)
        if not (await PeopleRepository(transaction.connection).accounts(chain.people)).all_callable(chain.people):
            raise PersonCannotBeCalled
        await chains.add(chain, set_by=set_by, now=now)
    return chain
