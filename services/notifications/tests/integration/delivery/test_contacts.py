"""How somebody is reached is asked of auth until it answers, kept, and asked anew when auth says that it has changed."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from bloom_events.auth import Role, UserProfileChanged, UserRegistered
from bloom_events.envelope import Envelope, wrap
from bloom_events.event import Event
from bloom_events.ids import TenantId, UserId, new_id
from bloom_events.notifications import Channel
from local_stack.mail import MailSink
from notifications.domain.reaching import Contact
from notifications.use_cases.contacts import hear_of_contact
from notifications.use_cases.rounds import ask_due
from service_kit.errors import ServiceUnavailable


class Book:
    """What auth would say; `away` makes it silent."""

    def __init__(self, entries: Mapping[UserId, Contact]) -> None:
        self.entries = dict(entries)
        self.away = False
        self.asked: list[UserId] = []

    async def get_contact(self, _tenant_id: TenantId, user_id: UserId) -> Contact:
        self.asked.append(user_id)
        if self.away or user_id not in self.entries:
            raise ServiceUnavailable
        return self.entries[user_id]


def told(practice: Any, event: Event) -> Envelope[Any]:
    return wrap(event, source="/bloom/auth", tenant_id=practice.tenant_id, time=practice.clock(), correlation_id=new_id())


async def register(practice: Any, user_id: UserId) -> Envelope[Any]:
    cause = told(practice, UserRegistered(user_id=user_id, role=Role.PATIENT, status="active"))
    await hear_of_contact(practice.uow(cause), cause, now=practice.clock())
    return cause


async def known(practice: Any, user_id: UserId) -> dict[str, Any]:
    [row] = await practice.rows("select * from contacts where user_id = $1", user_id)
    return dict(row)


@pytest.fixture
def somebody() -> UserId:
    return UserId(uuid4())


@pytest.fixture(autouse=True)
async def nobody_else_waits(practice: Any) -> Any:
    """Rounds serve all tenants: what a test leaves unasked would be asked of the next one's book."""
    yield
    await practice.execute("update contacts set ask_at = null")


async def test_what_auth_says_is_kept_and_not_asked_again(practice: Any, somebody: UserId) -> None:
    book = Book({somebody: Contact("a@people.example", "de-DE", "Europe/Berlin", 1)})
    cause = await register(practice, somebody)
    await hear_of_contact(practice.uow(cause), cause, now=practice.clock())
    for _ in range(3):
        await ask_due(practice, book, practice.clock())
        practice.clock.advance(minutes=5)

    row = await known(practice, somebody)
    assert (row["email"], row["locale"], row["time_zone"], row["ask_at"]) == ("a@people.example", "de-DE", "Europe/Berlin", None)
    assert book.asked == [somebody]


async def test_while_auth_is_away_it_is_asked_less_and_less_and_then_answers(practice: Any, somebody: UserId) -> None:
    book = Book({somebody: Contact("a@people.example", None, None, 1)})
    book.away = True
    await register(practice, somebody)
    waits = []
    for _ in range(10):
        await ask_due(practice, book, practice.clock())
        next_at = (await known(practice, somebody))["ask_at"]
        waits.append(next_at - practice.clock())
        practice.clock.moment = next_at
    assert waits[0] <= timedelta(seconds=2)
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(minutes=2)

    book.away = False
    await ask_due(practice, book, practice.clock())
    assert (await known(practice, somebody))["email"] == "a@people.example"


async def test_a_changed_profile_is_asked_for_and_an_older_answer_does_not_win(practice: Any, somebody: UserId) -> None:
    book = Book({somebody: Contact("a@people.example", "en", "Europe/London", 4)})
    await register(practice, somebody)
    await ask_due(practice, book, practice.clock())
    book.entries[somebody] = Contact("old@people.example", "de", "Europe/Berlin", 3)
    changed = told(practice, UserProfileChanged(user_id=somebody, revision=5))
    await hear_of_contact(practice.uow(changed), changed, now=practice.clock())
    await ask_due(practice, book, practice.clock())

    row = await known(practice, somebody)
    assert (row["email"], row["locale"], row["revision"]) == ("a@people.example", "en", 4)


async def test_news_that_come_while_auth_is_being_asked_are_asked_for_again(practice: Any, somebody: UserId) -> None:
    class BookWithNews(Book):
        async def get_contact(self, tenant_id: TenantId, user_id: UserId) -> Contact:
            if not self.asked:
                practice.clock.advance(seconds=1)
                changed = told(practice, UserProfileChanged(user_id=user_id, revision=2))
                await hear_of_contact(practice.uow(changed), changed, now=practice.clock())
                self.entries[user_id] = Contact("new@people.example", None, None, 2)
                await super().get_contact(tenant_id, user_id)
                return Contact("old@people.example", None, None, 1)
            return await super().get_contact(tenant_id, user_id)

    book = BookWithNews({somebody: Contact("old@people.example", None, None, 1)})
    await register(practice, somebody)
    await ask_due(practice, book, practice.clock())
    assert (await known(practice, somebody))["ask_at"] is not None
    await ask_due(practice, book, practice.clock())

    assert (await known(practice, somebody))["email"] == "new@people.example"


async def test_two_workers_do_not_ask_about_the_same_person_at_once(practice: Any, somebody: UserId) -> None:
    inner = Book({somebody: Contact("a@people.example", None, None, 1)})

    class BookAskedWithin(Book):
        async def get_contact(self, tenant_id: TenantId, user_id: UserId) -> Contact:
            await ask_due(practice, inner, practice.clock())
            return await super().get_contact(tenant_id, user_id)

    outer = BookAskedWithin(inner.entries)
    await register(practice, somebody)
    await ask_due(practice, outer, practice.clock())

    assert (outer.asked, inner.asked) == ([somebody], [])


async def test_a_mail_waits_for_the_address_and_then_goes(practice: Any, office: Any, mail_sink: MailSink) -> None:
    patient, address = UserId(uuid4()), f"late-{uuid4().hex}@people.example"
    await register(practice, patient)
    await practice.hear(practice.story(patient, uuid4()).booked().events)
    await office.serve(Channel.EMAIL)
    await ask_due(practice, Book({patient: Contact(address, None, None, 1)}), practice.clock())
    practice.clock.advance(seconds=15)
    await office.serve(Channel.EMAIL)

    assert len(mail_sink.messages(to=address)) == 1
