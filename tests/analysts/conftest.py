"""A Kafka with the results of a practice's week."""

from uuid import UUID, uuid4

import pytest
from tests.analysts.planted_results import misleading, publish, week


@pytest.fixture(scope="package")
def practice_tenant(kafka_topics: str) -> UUID:
    """The tenant whose week is told there, with misleading records at its end, beside a stranger's."""
    tenant, stranger = uuid4(), uuid4()
    publish(kafka_topics, stranger, week(stranger))
    publish(kafka_topics, tenant, [*week(tenant), *misleading(tenant)])
    return tenant
