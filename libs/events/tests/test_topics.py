"""Topics: names, dead letters, and that every event has a home."""

import pytest

from bloom_events.registry import EVENT_TYPES
from bloom_events.topics import (
    APPOINTMENTS,
    DEAD_LETTER_RETENTION_MS,
    KEEP_EVERYTHING_MS,
    TOPICS,
    USERS,
    DataClass,
    Topic,
    all_topics,
    dead_letter,
)

SERVICES = {"auth", "appointments", "billing", "messaging", "ml-scoring", "notifications", "analytics"}


def topic_named(name: str) -> Topic:
    return Topic(name, ("auth",), (), 1, -1, "delete", DataClass.NONE)


def test_every_topic_is_listed_once_with_a_dead_letter_topic_per_consumer():
    names = [topic.name for topic in all_topics()]
    assert len(names) == len(set(names))
    assert names.count("bloom.appointments.v1.billing.dlq") == 1
    assert len(names) == len(TOPICS) + sum(len(topic.consumers) for topic in TOPICS)


def test_topics_of_record_keep_everything_because_records_carry_the_time_of_the_event():
    kept = {(topic.retention_ms, topic.cleanup_policy, topic.partitions) for topic in TOPICS if topic.producers != ("analytics",)}
    assert kept == {(KEEP_EVERYTHING_MS, "delete", 6)}


def test_of_windowed_results_the_newest_revision_stays():
    kept = {(topic.retention_ms, topic.cleanup_policy) for topic in TOPICS if topic.producers == ("analytics",)}
    assert kept == {(KEEP_EVERYTHING_MS, "compact")}


def test_only_services_write_and_read_topics():
    for topic in all_topics():
        assert topic.producers
        assert {*topic.producers, *topic.consumers} <= SERVICES


def test_billing_reads_appointments_and_appointments_reads_users():
    assert "billing" in APPOINTMENTS.consumers
    assert "appointments" in USERS.consumers


def test_a_dead_letter_topic_is_written_by_its_consumer_and_as_sensitive_as_its_source():
    parked = dead_letter(APPOINTMENTS, "billing")
    assert parked.name == "bloom.appointments.v1.billing.dlq"
    assert (parked.producers, parked.consumers) == (("billing",), ())
    assert (parked.partitions, parked.retention_ms) == (1, DEAD_LETTER_RETENTION_MS)
    assert parked.data_class is APPOINTMENTS.data_class


def test_nobody_parks_records_of_a_topic_that_it_does_not_read():
    with pytest.raises(ValueError, match="not among the consumers"):
        dead_letter(APPOINTMENTS, "auth")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "bloom",
        "users.v1",
        "bloom.users",
        "bloom.user_sessions.v1",
        "bloom.Users.v1",
        "bloom.users.v0",
        "bloom.users.v1\n",
        "bloom..v1",
    ],
)
def test_a_name_outside_the_convention_is_refused(name):
    with pytest.raises(ValueError, match="not a topic name"):
        topic_named(name)


def test_a_name_longer_than_kafka_takes_is_refused():
    with pytest.raises(ValueError, match="not a topic name"):
        topic_named(f"bloom.{'a' * 241}.v1")


def test_every_event_has_its_home_on_a_listed_topic_and_no_topic_is_empty():
    assert {event.TOPIC.name for event in EVENT_TYPES.values()} == {topic.name for topic in TOPICS}
