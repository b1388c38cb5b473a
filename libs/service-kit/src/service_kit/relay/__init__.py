"""The relay: carries outbox rows to Kafka, at least once, in order per key; one is active per database."""

from service_kit.relay.options import RelayOptions
from service_kit.relay.parked import ParkedRow, list_parked, requeue
from service_kit.relay.running import Relay

__all__ = ["ParkedRow", "Relay", "RelayOptions", "list_parked", "requeue"]
