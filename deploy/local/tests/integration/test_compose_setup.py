"""What docker compose runs once: the topics and buckets are there afterwards, however often it runs, or one line says why not."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from bloom_events.topics import all_topics
from local_stack import compose_setup
from local_stack.kafka import KafkaCluster
from local_stack.objects import ObjectStore
from local_stack.paths import ROOT


@pytest.fixture
def set_up(kafka_cluster: KafkaCluster, object_store: ObjectStore) -> Callable[..., int]:
    def run(**changes: str) -> int:
        usual = {
            "BLOOM_KAFKA_BOOTSTRAP_SERVERS": kafka_cluster.bootstrap,
            "BLOOM_OBJECTS_URL": object_store.url,
            "BLOOM_OBJECTS_SECRET_KEY": object_store.secret_key,
        }
        return compose_setup.main({**usual, **changes}, patience_seconds=10)

    return run


def test_topics_and_buckets_are_made_once_and_then_left_as_they_are(
    set_up: Callable[..., int], kafka_cluster: KafkaCluster, object_store: ObjectStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (set_up(), set_up()) == (0, 0)
    client = object_store.client()
    assert {bucket["Name"] for bucket in client.list_buckets()["Buckets"]} == {
        "bloom-attachments",
        "bloom-models",
        "bloom-lake",
    }
    client.close()
    assert capsys.readouterr().out.splitlines()[-1].startswith("0 topics made")
    assert len(all_topics()) > 10


def test_a_wrong_key_of_the_object_store_is_one_line(set_up: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert set_up(BLOOM_OBJECTS_SECRET_KEY="another") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("setup failed: objects: does not take objects at http://127.0.0.1:")


def test_without_a_key_nothing_is_tried() -> None:
    command = [sys.executable, "-m", "local_stack.compose_setup"]
    done = subprocess.run(
        command, cwd=ROOT, env={"BLOOM_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "setup failed: BLOOM_OBJECTS_SECRET_KEY is not set\n")
