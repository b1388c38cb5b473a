"""`python -m local_stack.compose_setup`: what docker compose runs once: makes the topics and the buckets."""

import os
import sys
from collections.abc import Mapping

from bloom_events.topics import all_topics
from local_stack.buckets import OBJECTS_USER, S3Access, is_serving
from local_stack.errors import StackError
from local_stack.process import wait_until
from local_stack.topics import create_topics, is_reachable


def main(environment: Mapping[str, str] = os.environ, *, patience_seconds: float = 60) -> int:
    """Make the topics on BLOOM_KAFKA_BOOTSTRAP_SERVERS and the buckets at BLOOM_OBJECTS_URL; 1 with one line when one is away."""
    try:
        access = S3Access(
            environment.get("BLOOM_OBJECTS_URL", "http://objects:8333"), OBJECTS_USER, environment["BLOOM_OBJECTS_SECRET_KEY"]
        )
        made = _make_topics(environment.get("BLOOM_KAFKA_BOOTSTRAP_SERVERS", "kafka:9092"), patience_seconds)
        _make_buckets(access, patience_seconds)
    except KeyError as error:
        print(f"setup failed: {error.args[0]} is not set", file=sys.stderr)
        return 1
    except StackError as error:
        print(f"setup failed: {error}", file=sys.stderr)
        return 1
    print(f"{made} topics made, the others were there, and so are the buckets")
    return 0


def _make_topics(bootstrap: str, patience_seconds: float) -> int:
    if not wait_until(lambda: is_reachable(bootstrap), patience_seconds, pause=0.5):
        raise StackError("kafka", f"does not answer at {bootstrap}")
    return len(create_topics(bootstrap, all_topics()))


def _make_buckets(access: S3Access, patience_seconds: float) -> None:
    if not wait_until(lambda: is_serving(access), patience_seconds, pause=0.5):
        raise StackError("objects", f"does not take objects at {access.url}")


if __name__ == "__main__":
    sys.exit(main())
