"""What Kafka knows beside its records: the topics with their settings, and how far each group of consumers has come."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from local_stack.errors import StackError
from local_stack.recovery.manifest import Offsets, TopicBackup
from service_kit.log_reader import LogReader

_SECONDS = 30.0
# A worker with a name of its own stays a member for its session's length after it has ended.
_UNTIL_EMPTY_SECONDS = 90.0
_OURS = "bloom."


class LogAdministration:
    """Reads and restores what is around the records; the records themselves are replicated by Kafka and never touched here."""

    def __init__(self, bootstrap: str) -> None:
        from confluent_kafka.admin import AdminClient

        self._bootstrap = bootstrap
        self._client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def topics(self) -> dict[str, TopicBackup]:
        """Our topics as they are."""
        known = {name: each for name, each in self._client.list_topics(timeout=_SECONDS).topics.items() if name.startswith(_OURS)}
        settings = self._settings(list(known))
        return {
            name: TopicBackup(len(each.partitions), len(each.partitions[0].replicas), settings[name])
            for name, each in sorted(known.items())
        }

    def ends(self, topics: Iterable[str]) -> dict[str, dict[int, int]]:
        """Where each partition of these topics ends now."""
        ends: dict[str, dict[int, int]] = {}
        with closing(LogReader(self._bootstrap, name="bloom-positions")) as reader:
            for place, end in reader.ends(topics).items():
                ends.setdefault(place.topic, {})[place.partition] = end
        return ends

    def restore_topics(self, saved: Mapping[str, TopicBackup]) -> list[str]:
        """Make the topics that are missing, give all of them their settings back; the names of those that had to be mended."""
        from confluent_kafka.cimpl import NewTopic

        there = self.topics()
        for name, topic in saved.items():
            if name in there and there[name].partitions != topic.partitions:
                raise StackError("kafka", f"{name} has {there[name].partitions} partitions, the backup says {topic.partitions}")
        missing = {name: topic for name, topic in saved.items() if name not in there}
        new = [
            NewTopic(name, each.partitions, each.replication_factor, config=dict(each.settings)) for name, each in missing.items()
        ]
        if new:
            _await_all(self._client.create_topics(new, operation_timeout=_SECONDS))
        changed = {name: topic for name, topic in saved.items() if name in there and topic.settings != there[name].settings}
        self._set(changed, there)
        return sorted([*missing, *changed])

    def break_topics(self, wrong: Mapping[str, str]) -> list[str]:
        """For drills: delete the first topic of dead letters that is empty, give the first other topic wrong settings."""
        there = self.topics()
        broken = next(name for name in there if not name.endswith(".dlq"))
        ends = self.ends([name for name in there if name.endswith(".dlq")])
        deleted = [name for name, each in ends.items() if not any(each.values())][:1]
        if deleted:
            _await_all(self._client.delete_topics(deleted, operation_timeout=_SECONDS))
        settings = {**there[broken].settings, **wrong}
        self._set({broken: replace(there[broken], settings=settings)}, there)
        return [*deleted, broken]

    def groups(self) -> dict[str, Offsets]:
        """How far each group has committed."""
        from confluent_kafka import ConsumerGroupTopicPartitions

        found: dict[str, Offsets] = {}
        for group in self._group_names():
            asked = [ConsumerGroupTopicPartitions(group)]
            answer = _await_all(self._client.list_consumer_group_offsets(asked))[group]
            by_topic: dict[str, dict[int, int]] = {}
            for place in answer.topic_partitions:
                if place.offset >= 0:
                    by_topic.setdefault(place.topic, {})[place.partition] = place.offset
            if by_topic:
                found[group] = by_topic
        return found

    def restore_groups(self, saved: Mapping[str, Offsets]) -> list[str]:
        """Send every group back to where it was; the names of those that had come further. Their workers must have stopped."""
        now = self.groups()
        moved = [group for group, offsets in now.items() if offsets != saved.get(group)]
        for group in moved:
            back = {
                topic: {number: saved.get(group, {}).get(topic, {}).get(number, 0) for number in numbers}
                for topic, numbers in now[group].items()
            }
            self._move(group, back)
        return sorted(moved)

    def _move(self, group: str, back: Offsets) -> None:
        from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

        places = [TopicPartition(topic, number, offset) for topic, each in back.items() for number, offset in each.items()]

        def move() -> None:
            done = _await_all(self._client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, places)]))[group]
            for place in done.topic_partitions:
                if place.error is not None:
                    raise StackError("kafka", f"group {group}: {place.error.str()}")

        _once_empty(move)

    def _group_names(self) -> list[str]:
        listed = self._client.list_consumer_groups(request_timeout=_SECONDS).result(_SECONDS)
        return sorted(group.group_id for group in listed.valid)

    def _settings(self, names: list[str]) -> dict[str, dict[str, str]]:
        from confluent_kafka.admin._config import ConfigResource, ConfigSource
        from confluent_kafka.admin._resource import ResourceType

        if not names:
            return {}
        described = _await_all(self._client.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in names]))
        own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        return {
            name: {key: entry.value for key, entry in each.items() if entry.source == own} for name, each in described.items()
        }

    def _set(self, wanted: Mapping[str, TopicBackup], there: Mapping[str, TopicBackup]) -> None:
        from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
        from confluent_kafka.admin._resource import ResourceType

        resources = []
        for name, topic in wanted.items():
            entries = [
                ConfigEntry(key, topic.settings.get(key), incremental_operation=operation)
                for key in {**topic.settings, **there[name].settings}
                for operation in [AlterConfigOpType.SET if key in topic.settings else AlterConfigOpType.DELETE]
            ]
            resources.append(ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries))
        if resources:
            _await_all(self._client.incremental_alter_configs(resources))


def _await_all(futures: Mapping[Any, Any]) -> dict[str, Any]:
    """The answers by name; StackError with what Kafka says about the first that failed."""
    from confluent_kafka import KafkaException

    answers = {}
    for asked, future in futures.items():
        name = getattr(asked, "name", asked)
        try:
            answers[name] = future.result(_SECONDS)
        except KafkaException as error:
            raise StackError("kafka", f"{name}: {error.args[0].str()}") from error
    return answers


def _once_empty(move: Callable[[], None]) -> None:
    """Move a group's offsets, which Kafka allows once its last member is gone."""
    deadline = time.monotonic() + _UNTIL_EMPTY_SECONDS
    while True:
        try:
            move()
        except StackError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.25)
        else:
            return
