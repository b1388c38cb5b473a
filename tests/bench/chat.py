"""What people write to each other in a benchmark: texts as long as chat messages are, the same in every run, and sealed."""

from __future__ import annotations

import os
import random
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from confluent_kafka import Producer
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.bench.key_server import key_of

from bloom_events.auth import Role
from bloom_events.envelope import to_kafka, wrap
from bloom_events.ids import ConversationId, MessageId, PatientId, TenantId, TherapistId, UserId, new_id
from bloom_events.messaging import MessageSent, sealed_with

TENANT = TenantId(UUID("0195a000-0000-7000-8000-0000000000b3"))
CONVERSATIONS = tuple(ConversationId(UUID(int=TENANT.int + number)) for number in range(1, 101))
_SEED = 20_261_127
_WORDS = """
    i you we they it the a and but so then today yesterday tomorrow morning night walk slept work home bus tea garden sister
    friend week feel felt better tired calm long short again later talk call read wrote cooked rain sun thank sorry please maybe
    never always could would think know want need time day good new old about after before with without from into over
"""


def texts(count: int) -> list[str]:
    """As many texts; half of them have 13 words or fewer, one in a hundred more than 60."""
    rng, words = random.Random(_SEED), _WORDS.split()
    return [" ".join(rng.choices(words, k=max(1, min(200, round(rng.lognormvariate(2.56, 0.67)))))) for _ in range(count)]


def produce(bootstrap: str, written: Sequence[str]) -> None:
    """Put a message with each text on the log, sealed, over all conversations in turn."""
    producer = Producer(
        {"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5, "queue.buffering.max.messages": 1_000_000}
    )
    for event in _messages(written):
        envelope = wrap(event, source="/bloom/messaging", tenant_id=TENANT, time=datetime.now(UTC), correlation_id=uuid4())
        m = to_kafka(envelope)
        producer.produce(m.topic, m.value, m.key, headers=list(m.headers), timestamp=m.timestamp_ms)
        producer.poll(0)
    if producer.flush(60):
        raise RuntimeError("Kafka did not take the messages")


def _messages(written: Sequence[str]) -> Iterator[MessageSent]:
    for number, text in enumerate(written):
        conversation_id, message_id = CONVERSATIONS[number % len(CONVERSATIONS)], MessageId(new_id())
        sequence, nonce = number + 1, os.urandom(12)
        place = sealed_with(conversation_id, message_id, sequence)
        yield MessageSent(
            conversation_id=conversation_id,
            message_id=message_id,
            sequence=sequence,
            revision=1,
            patient_id=PatientId(conversation_id),
            author_id=UserId(conversation_id),
            author_role=Role.PATIENT,
            therapist_ids=(TherapistId(TENANT),),
            key_version=1,
            nonce=b64encode(nonce).decode(),
            ciphertext=b64encode(AESGCM(key_of(conversation_id)).encrypt(nonce, text.encode(), place)).decode(),
            sent_at=datetime.now(UTC),
        )
