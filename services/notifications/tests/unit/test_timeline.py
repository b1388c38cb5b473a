"""The timeline puts what is known into the order in which it happened, and makes nothing up."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from bloom_events.ids import ConversationId, PatientId, UserId
from bloom_events.notifications import Channel
from bloom_events.risk import RiskLevel
from notifications.domain.alerts import Change
from notifications.domain.timeline import Delivery, Ending, Hop, Sent, point_of, timeline
from notifications.domain.watch import Score, WatchedMessage


def test_every_hop_from_the_written_message_to_the_answer_stands_at_its_time(
    raised: Callable[..., Change], people: dict[str, UserId], now: datetime
) -> None:
    def at(milliseconds: int) -> datetime:
        return now + timedelta(milliseconds=milliseconds)

    change, therapist = raised(), people["therapist"]
    answered = change.alert.acknowledged(therapist, at(900))
    assert answered is not None
    resolved = answered.alert.resolved(therapist, at(1000))
    message = WatchedMessage(
        change.alert.message_id, 1, ConversationId(UUID(int=2)), PatientId(UUID(int=3)), (therapist,), at(-100),
        committed_at=at(-98), score=Score(RiskLevel.HIGH, at(-50), at(-20)),
    )  # fmt: skip
    history = [point_of(each.alert, each.event) for each in (resolved, answered, change)]

    found = timeline(
        history,
        [message],
        [Ending(message.message_id, deleted_at=at(500), withdrawn_at=at(600))],
        [Delivery(therapist, pushed_at=at(20), seen_at=at(40)), Delivery(people["supervisor"])],
        [Sent(therapist, Channel.SMS, at(300))],
    )

    assert [(point.hop, round((point.at - now).total_seconds() * 1000)) for point in found.points] == [
        (Hop.WRITTEN, -100),
        (Hop.COMMITTED, -98),
        (Hop.READ_BY_SCORER, -50),
        (Hop.SCORED, -20),
        (Hop.RAISED, 0),
        (Hop.PUSHED, 20),
        (Hop.SEEN, 40),
        (Hop.SENT, 300),
        (Hop.DELETED, 500),
        (Hop.SCORE_WITHDRAWN, 600),
        (Hop.ACKNOWLEDGED, 900),
        (Hop.RESOLVED, 1000),
    ]
    assert found.is_complete
    by_hop = {point.hop: point for point in found.points}
    assert by_hop[Hop.SCORED].level is RiskLevel.HIGH
    assert by_hop[Hop.RAISED].called == (therapist,)
    assert by_hop[Hop.ACKNOWLEDGED].user_id == therapist
    assert by_hop[Hop.SENT].channel is Channel.SMS


def test_what_is_not_known_is_left_out(raised: Callable[..., Change], now: datetime) -> None:
    change = raised()
    message = WatchedMessage(
        change.alert.message_id, 1, ConversationId(UUID(int=2)), PatientId(UUID(int=3)), (), now, unscored_at=now
    )

    found = timeline([point_of(change.alert, change.event)], [message], [], [], [])

    assert [point.hop for point in found.points] == [Hop.WRITTEN, Hop.UNSCORED, Hop.RAISED]
