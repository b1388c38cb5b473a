"""The life of a conversation and of its messages, without any server."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from bloom_events.auth import Role
from bloom_events.ids import ConversationId, MessageId, PatientId, TherapistId, UserId
from bloom_events.messaging import MAX_MEMBERS
from messaging.domain.conversations import Conversation, Member, must_be_eligible, must_care
from messaging.domain.messages import Message, SealedText, content_of
from messaging.domain.outcomes import (
    CannotTakePart,
    KeyDestroyed,
    LastTherapist,
    MemberNotFound,
    MessageDeleted,
    NoCareRelationship,
    NotTheAuthor,
    TooManyMembers,
)
from messaging.domain.people import AccountStatus, Actor, Person

NOW = datetime(2030, 1, 7, 9, tzinfo=UTC)
PATIENT, THERAPIST = Actor(uuid4(), Role.PATIENT), Actor(uuid4(), Role.THERAPIST)
SEALED = SealedText(1, 3, b"n" * 12, b"c" * 20)


def a_conversation() -> Conversation:
    opened, _ = Conversation.open_direct(
        ConversationId(uuid4()), PATIENT, PatientId(PATIENT.user_id), TherapistId(THERAPIST.user_id), now=NOW
    )
    for each in (PATIENT, THERAPIST):
        opened, _ = opened.join(each.user_id, each.role, NOW)
    return opened


def held(conversation: Conversation) -> Conversation:
    return replace(conversation, last_sequence=conversation.last_sequence + 1, last_change_at=NOW)


def a_message(conversation: Conversation) -> Message:
    message, _ = Message.send(MessageId(uuid4()), held(conversation), PATIENT, SEALED)
    return message


def test_each_who_joins_takes_a_place_of_the_feed() -> None:
    conversation = a_conversation()

    assert conversation.last_sequence == 2
    assert conversation.member_ids == (PATIENT.user_id, THERAPIST.user_id)
    assert conversation.therapist_ids == (THERAPIST.user_id,)


def test_times_never_go_back_along_the_changes() -> None:
    conversation, _ = a_conversation().join(uuid4(), Role.THERAPIST, NOW - timedelta(hours=1))

    assert conversation.last_change_at == NOW


def test_a_conversation_has_at_most_fifty_members() -> None:
    conversation = a_conversation()
    for _ in range(MAX_MEMBERS - 2):
        conversation, _ = conversation.join(uuid4(), Role.THERAPIST, NOW)

    with pytest.raises(TooManyMembers):
        conversation.join(uuid4(), Role.THERAPIST, NOW)


def test_who_takes_no_part_cannot_leave() -> None:
    with pytest.raises(MemberNotFound):
        a_conversation().leave(uuid4(), Role.THERAPIST, NOW)


def test_the_last_therapist_leaves_after_the_patient_or_when_all_is_destroyed() -> None:
    conversation = a_conversation()
    with pytest.raises(LastTherapist):
        conversation.leave(THERAPIST.user_id, Role.THERAPIST, NOW)

    without_patient, left = conversation.leave(PATIENT.user_id, Role.PATIENT, NOW)
    closed, _ = conversation.destroy_keys(NOW)

    assert left.member_role is Role.PATIENT
    assert without_patient.leave(THERAPIST.user_id, Role.THERAPIST, NOW)[0].member_ids == ()
    assert closed.leave(THERAPIST.user_id, Role.THERAPIST, NOW)[0].therapist_ids == ()


def test_a_closed_conversation_takes_nothing_more() -> None:
    closed, destroyed = a_conversation().destroy_keys(NOW)

    assert destroyed.destroyed_at == NOW
    for forbidden in (
        lambda: closed.join(uuid4(), Role.THERAPIST, NOW),
        lambda: closed.destroy_keys(NOW),
        closed.renew_key,
        closed.must_be_open,
    ):
        with pytest.raises(KeyDestroyed):
            forbidden()


def test_a_renewed_key_is_the_next_version() -> None:
    conversation = a_conversation()

    assert (conversation.key_version, conversation.renew_key().key_version) == (1, 2)


def test_a_message_is_told_with_its_seal_and_its_place() -> None:
    conversation = held(a_conversation())

    message, sent = Message.send(MessageId(uuid4()), conversation, PATIENT, SEALED, attachment_count=2)

    assert (message.sequence, message.revision, message.sent_at) == (3, 1, NOW)
    assert (sent.sequence, sent.revision, sent.key_version, sent.attachments) == (3, 1, 1, 2)
    assert (b64decode(sent.nonce), b64decode(sent.ciphertext)) == (b"n" * 12, b"c" * 20)
    assert sent.therapist_ids == (THERAPIST.user_id,)


def test_an_edit_keeps_the_place_and_tells_its_own() -> None:
    conversation = a_conversation()
    message = a_message(conversation)
    later = replace(conversation, last_sequence=9, last_change_at=NOW + timedelta(minutes=1))

    edited, event = message.edit(later, PATIENT, replace(SEALED, sequence=9))

    assert (edited.sequence, edited.revision, edited.edited_at) == (3, 2, NOW + timedelta(minutes=1))
    assert (event.sequence, event.revision, event.sent_at) == (9, 2, NOW)


def test_a_deleted_message_keeps_its_place_and_loses_its_text() -> None:
    conversation = a_conversation()
    deleted, event = a_message(conversation).delete(held(conversation), PATIENT)

    assert (deleted.sequence, deleted.revision, deleted.sealed) == (3, 2, None)
    assert event.deleted_at == NOW
    with pytest.raises(MessageDeleted):
        deleted.edit(held(conversation), PATIENT, SEALED)
    with pytest.raises(MessageDeleted):
        deleted.delete(held(conversation), PATIENT)


def test_only_the_author_changes_a_message() -> None:
    conversation = a_conversation()
    message = a_message(conversation)
    with pytest.raises(NotTheAuthor):
        message.edit(held(conversation), THERAPIST, SEALED)
    with pytest.raises(NotTheAuthor):
        message.delete(held(conversation), THERAPIST)


@pytest.mark.parametrize(
    ("delivered", "read", "becomes"),
    [
        (5, 0, (5, 2)),
        (0, 5, (5, 5)),
        (99, 99, (7, 7)),
        (4, 2, None),
        (0, 0, None),
        (1, 3, (4, 3)),
    ],
)
def test_receipts_go_forward_only_and_reading_means_having(delivered: int, read: int, becomes: tuple[int, int] | None) -> None:
    member = Member(ConversationId(uuid4()), UserId(uuid4()), Role.PATIENT, NOW, None, delivered=4, read=2)

    confirmed = member.confirm(delivered=delivered, read=read, last_sequence=7)

    assert (confirmed and (confirmed.delivered, confirmed.read)) == becomes


def a_person(role: Role, status: AccountStatus = AccountStatus.ACTIVE) -> Person:
    return Person(uuid4(), role, status, NOW)


def test_care_teams_take_therapists_and_the_patient_whom_they_are_about() -> None:
    patient, therapist = a_person(Role.PATIENT), a_person(Role.THERAPIST)

    assert must_be_eligible(patient, patient.user_id) is patient
    assert must_be_eligible(therapist, patient.user_id) is therapist
    for person in (
        None,
        a_person(Role.PATIENT),
        a_person(Role.ADMINISTRATOR),
        a_person(Role.THERAPIST, AccountStatus.PENDING),
        a_person(Role.THERAPIST, AccountStatus.SUSPENDED),
    ):
        with pytest.raises(CannotTakePart):
            must_be_eligible(person, patient.user_id)


def test_people_begin_to_write_when_they_care_for_each_other_and_neither_is_suspended() -> None:
    must_care(is_cared_for=True, people=[a_person(Role.PATIENT)])
    with pytest.raises(NoCareRelationship):
        must_care(is_cared_for=False, people=[])
    with pytest.raises(NoCareRelationship):
        must_care(is_cared_for=True, people=[a_person(Role.THERAPIST, AccountStatus.SUSPENDED)])


def test_contents_differ_whenever_any_part_does() -> None:
    reply, first, second = uuid4(), uuid4(), uuid4()
    contents = {
        content_of("a", None, ()),
        content_of("b", None, ()),
        content_of("a", reply, ()),
        content_of("a", None, (reply,)),
        content_of("a", None, (first, second)),
        content_of("a", None, (second, first)),
        content_of("", None, ()),
    }

    assert len(contents) == 7
