"""Whatever people do in a care team in whatever order, feed, history and counts are what a simple model says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule, run_state_machine_as_test
from pydantic import SecretStr

from bloom_events.auth import Role
from bloom_events.ids import AppointmentId, MessageId, PatientId, TenantId, TherapistId
from messaging.clients.keys.file_keys import FileKeys
from messaging.clients.keys.keyring import Keyring
from messaging.domain.changes import MemberChange, MessageChange, ReceiptChange
from messaging.domain.people import AccountStatus, Actor, CareVisit, Person
from messaging.repository.people import PeopleRepository
from messaging.use_cases import conversations, keys, messages, reading
from service_kit.database import create_pool
from service_kit.errors import Problem
from service_kit.unit_of_work import Context, UnitOfWork

if TYPE_CHECKING:
    from local_stack.postgres import ServiceDatabase

START = datetime(2030, 1, 7, 9, tzinfo=UTC)
PEOPLE = 4
"""The patient is number 0; number 1 is the therapist who cares for the patient; the others are therapists."""
LEAD = 1


@dataclass
class Text:
    """What the model knows of a message; `body` is None once it was deleted."""

    author: int
    place: int
    sent: str
    body: str | None
    revision: int = 1


@dataclass
class Model:
    """A conversation as it should be: each place of its feed, its members with their receipts, its messages."""

    feed: list[tuple[Any, ...]] = field(default_factory=list)
    members: dict[int, tuple[int, int]] = field(default_factory=dict)
    texts: dict[UUID, Text] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return len(self.feed)

    def join(self, person: int) -> None:
        self.feed.append(("member-joined", person))
        self.members[person] = (self.last, self.last)

    def unread(self, person: int) -> int:
        read = self.members[person][1]
        return sum(text.place > read and text.author != person and text.body is not None for text in self.texts.values())


class Conversing(RuleBasedStateMachine):
    """A patient and three therapists in one care team, of whom one leads it; keys are renewed now and then."""

    database: ServiceDatabase
    sent = Bundle("sent")

    @initialize()
    def open_the_team(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.now, self.tenant, self.model = START, TenantId(uuid4()), Model()
        self.ids = [uuid4() for _ in range(PEOPLE)]
        self.keyring = Keyring(FileKeys("only", {"only": bytes(32)}))
        self.run(self._open())

    async def _open(self) -> None:
        self.pool = await create_pool(SecretStr(self.database.app_url), size=2, application_name="conversation-machine")
        self.relay = await asyncpg.connect(self.database.relay_url)
        async with self.uow().begin() as transaction:
            people = PeopleRepository(transaction.connection)
            for number, user_id in enumerate(self.ids):
                await people.save(Person(user_id, self.role(number), AccountStatus.ACTIVE, START))
            care = CareVisit(AppointmentId(uuid4()), PatientId(self.ids[0]), TherapistId(self.ids[LEAD]), stands=True, revision=1)
            await people.save_visit(care)
        opened = await conversations.open_care_team(
            self.uow(), self.keyring, self.actor(LEAD), patient_id=PatientId(self.ids[0]), member_ids=[self.ids[0]], now=self.now
        )
        self.conversation_id = opened.id
        self.model.join(LEAD)
        self.model.join(0)

    def teardown(self) -> None:
        self.run(self.relay.close())
        self.run(self.pool.close())
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def uow(self) -> UnitOfWork:
        context = Context(tenant_id=self.tenant, correlation_id=uuid4())
        return UnitOfWork(self.pool, source="/bloom/messaging", context=context, clock=lambda: self.now)

    def role(self, person: int) -> Role:
        return Role.THERAPIST if person else Role.PATIENT

    def actor(self, person: int) -> Actor:
        return Actor(self.ids[person], self.role(person))

    def outcome(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What the use case gives, or the slug of the refusal."""
        self.now += timedelta(seconds=1)
        try:
            return self.run(work)
        except Problem as refused:
            return refused.slug

    @rule(target=sent, person=st.integers(0, PEOPLE - 1), body=st.text("ab\N{GRINNING FACE}", min_size=1, max_size=5))
    def send(self, person: int, body: str) -> Any:
        message_id = MessageId(uuid4())
        came = self._send(person, message_id, body)
        if person not in self.model.members:
            assert came == "conversation-not-found"
            return multiple()
        self.model.feed.append(("message-sent", message_id))
        self.model.texts[message_id] = Text(person, self.model.last, body, body)
        assert came.sequence == self.model.last
        return message_id

    @rule(message_id=sent, person=st.integers(0, PEOPLE - 1), differs=st.booleans())
    def send_again(self, message_id: UUID, person: int, differs: bool) -> None:
        text = self.model.texts[message_id]
        came = self._send(person, MessageId(message_id), text.sent + "!" * differs)
        if person not in self.model.members:
            assert came == "conversation-not-found"
        elif person != text.author or differs:
            assert came == "message-id-taken"
        else:
            assert (came.sequence, came.readable.body, came.readable.message.revision) == (None, text.body, text.revision)

    def _send(self, person: int, message_id: MessageId, body: str) -> Any:
        draft = messages.Draft(message_id, self.conversation_id, body)
        return self.outcome(messages.send_message(self.uow(), self.keyring, self.actor(person), draft, now=self.now))

    @rule(message_id=sent, person=st.integers(0, PEOPLE - 1), body=st.text("cd", min_size=1, max_size=5))
    def edit(self, message_id: UUID, person: int, body: str) -> None:
        work = messages.edit_message(self.uow(), self.keyring, self.actor(person), message_id, body, seen=None, now=self.now)
        if self._changes(self.outcome(work), message_id, person, "message-edited"):
            self.model.texts[message_id].body = body

    @rule(message_id=sent, person=st.integers(0, PEOPLE - 1))
    def delete(self, message_id: UUID, person: int) -> None:
        work = messages.delete_message(self.uow(), self.actor(person), message_id, seen=None, now=self.now)
        if self._changes(self.outcome(work), message_id, person, "message-deleted"):
            self.model.texts[message_id].body = None

    def _changes(self, came: Any, message_id: UUID, person: int, kind: str) -> bool:
        text = self.model.texts[message_id]
        if person not in self.model.members:
            assert came == "message-not-found"
        elif person != text.author:
            assert came == "not-the-author"
        elif text.body is None:
            assert came == "message-already-deleted"
        else:
            self.model.feed.append((kind, message_id))
            text.revision += 1
            assert came.sequence == self.model.last
            return True
        return False

    @rule(person=st.integers(0, PEOPLE - 1), delivered=st.integers(0, 30), read=st.integers(0, 30))
    def confirm(self, person: int, delivered: int, read: int) -> None:
        work = reading.confirm_receipt(
            self.uow(), self.actor(person), self.conversation_id, delivered=delivered, read=read, now=self.now
        )
        came, last = self.outcome(work), self.model.last
        if person not in self.model.members:
            assert came == "conversation-not-found"
            return
        had = self.model.members[person]
        has_read = max(had[1], min(read, last))
        has = (max(had[0], min(delivered, last), has_read), has_read)
        if has != had:
            self.model.members[person] = has
            self.model.feed.append(("receipt", person, *has))
        assert (came[0].delivered, came[0].read) == has

    @rule(actor=st.integers(0, PEOPLE - 1), person=st.integers(0, PEOPLE - 1))
    def add(self, actor: int, person: int) -> None:
        work = conversations.add_member(self.uow(), self.actor(actor), self.conversation_id, self.ids[person], now=self.now)
        came = self.outcome(work)
        if actor not in self.model.members:
            assert came == "conversation-not-found"
        elif actor != LEAD:
            assert came == "forbidden"
        elif person not in self.model.members:
            self.model.join(person)

    @rule(actor=st.integers(0, PEOPLE - 1), person=st.integers(0, PEOPLE - 1))
    def remove(self, actor: int, person: int) -> None:
        work = conversations.remove_member(self.uow(), self.actor(actor), self.conversation_id, self.ids[person], now=self.now)
        came = self.outcome(work)
        others = [each for each in self.model.members if each not in {0, person}]
        if actor not in self.model.members:
            assert came == "conversation-not-found"
        elif actor not in {LEAD, person}:
            assert came == "forbidden"
        elif person not in self.model.members:
            assert came == "member-not-found"
        elif person and not others and 0 in self.model.members:
            assert came == "last-therapist"
        else:
            del self.model.members[person]
            self.model.feed.append(("member-left", person))

    @rule()
    def renew_the_key(self) -> None:
        self.outcome(keys.renew_key(self.uow(), self.keyring, self.conversation_id, now=self.now))
        self.keyring.forget(self.tenant, self.conversation_id)

    @invariant()
    def the_feed_is_the_models_feed(self) -> None:
        feed = self.run(reading.read_feed(self.uow(), self.keyring, None, self.conversation_id, after=0, limit=10_000))
        assert [each.change.sequence for each in feed.changes] == list(range(1, self.model.last + 1))
        assert [self._told(each.change) for each in feed.changes] == self.model.feed
        assert feed.last_sequence == self.model.last
        for each in feed.changes:
            if isinstance(each.change, MessageChange):
                text = self.model.texts[each.change.message.id]
                assert (each.readable.body, each.readable.message.revision) == (text.body, text.revision)

    def _told(self, change: Any) -> tuple[Any, ...]:
        if isinstance(change, MessageChange):
            return change.kind.value, change.message.id
        if isinstance(change, MemberChange):
            return change.kind.value, self.ids.index(change.member_id)
        assert isinstance(change, ReceiptChange)
        return "receipt", self.ids.index(change.member_id), change.delivered, change.read

    @invariant()
    def members_see_their_conversation_and_others_do_not(self) -> None:
        for person in range(PEOPLE):
            views = self.run(
                conversations.list_conversations(self.uow(), self.actor(person), patient_id=None, before=None, limit=10)
            )
            if person not in self.model.members:
                assert views == []
                continue
            receipts = {self.ids.index(each.user_id): (each.delivered, each.read) for each in views[0].members}
            assert receipts == self.model.members
            assert {self.ids.index(each) for each in views[0].conversation.member_ids} == set(self.model.members)
            assert views[0].unread == self.model.unread(person)

    @invariant()
    def what_was_published_is_what_happened(self) -> None:
        query = "select type from outbox where tenant_id = $1 order by id"
        told = [row["type"] for row in self.run(self.relay.fetch(query, self.tenant))]
        kinds = {"member-joined": "conversation.member-joined.v1", "member-left": "conversation.member-left.v1"}
        kinds |= {f"message-{verb}": f"message.{verb}.v1" for verb in ("sent", "edited", "deleted")}
        assert told == ["conversation.opened.v1", *[kinds[each[0]] for each in self.model.feed if each[0] != "receipt"]]


@pytest.mark.promise("MS1", "MS7")
@pytest.mark.timeout(300)
def test_a_conversation_is_what_its_model_says(service_database: Callable[[str], ServiceDatabase]) -> None:
    database = service_database("messaging")

    class ConversingOnThisDatabase(Conversing):
        pass

    ConversingOnThisDatabase.database = database
    run_state_machine_as_test(
        ConversingOnThisDatabase,
        settings=settings(
            max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
        ),
    )
