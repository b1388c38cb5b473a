"""The servers that the test session starts: they answer, survive a kill, and keep the services' databases apart."""

import asyncio
import os
from pathlib import Path

import asyncpg
import pytest
from confluent_kafka import Producer
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from local_stack.component import bring_up
from local_stack.kafka import KafkaCluster
from local_stack.paths import ROOT
from local_stack.ports import HOST
from local_stack.postgres import PostgresServer, binaries, service_roles
from local_stack.services import SERVICES
from local_stack.topics import create_topics
from local_stack.valkey import ValkeyServer


class Row:
    name = "bloom.examples.v1"
    partitions = 3
    retention_ms = -1
    cleanup_policy = "delete"


async def test_what_was_committed_is_there_after_postgresql_was_killed(postgres_server: PostgresServer) -> None:
    connection = await asyncpg.connect(postgres_server.superuser_url)
    await connection.execute("create table survivors (id int); insert into survivors values (7)")
    connection.terminate()
    postgres_server.kill()
    postgres_server.start()
    postgres_server.wait_ready()
    again = await asyncpg.connect(postgres_server.superuser_url)
    assert await again.fetchval("select id from survivors") == 7
    await again.close()


@pytest.mark.parametrize("role", ["owner", "app", "relay"])
async def test_no_role_of_a_service_is_superuser_or_bypasses_row_security(postgres_server: PostgresServer, role: str) -> None:
    database = postgres_server.create_service_database("example")
    connection = await asyncpg.connect(getattr(database, f"{role}_url"))
    row = await connection.fetchrow("select rolsuper, rolbypassrls, rolcreaterole from pg_roles where rolname = current_user")
    assert row is not None
    assert tuple(row) == (False, False, False)
    await connection.close()


async def test_a_service_cannot_enter_the_database_of_another(postgres_server: PostgresServer) -> None:
    postgres_server.create_service_database("example")
    stranger = postgres_server.create_service_database("stranger")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(stranger.app_url.replace(stranger.name, "bloom_example"))


def test_a_database_is_deleted_whatever_its_name(postgres_server: PostgresServer) -> None:
    database = postgres_server.create_service_database("example", name="ml-example_world_1")
    postgres_server.drop_database(database.name)
    assert postgres_server.sql(f"select count(*) from pg_database where datname = '{database.name}'") == "0"


async def test_the_application_role_creates_no_tables(postgres_server: PostgresServer) -> None:
    database = postgres_server.create_service_database("example")
    connection = await asyncpg.connect(database.app_url)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("create table sneaked_in (id int)")
    await connection.close()


def test_topics_are_made_once_and_a_second_call_finds_them(kafka_cluster: KafkaCluster) -> None:
    assert create_topics(kafka_cluster.bootstrap, [Row()]) == ["bloom.examples.v1"]
    assert create_topics(kafka_cluster.bootstrap, [Row()]) == []


def test_a_record_is_acknowledged_by_a_broker_that_was_killed_and_came_back(kafka_cluster: KafkaCluster) -> None:
    create_topics(kafka_cluster.bootstrap, [Row()])
    kafka_cluster.kill()
    kafka_cluster.start()
    kafka_cluster.wait_ready()
    errors: list[object] = []
    producer = Producer({"bootstrap.servers": kafka_cluster.bootstrap, "acks": "all", "log_level": 0})
    producer.produce("bloom.examples.v1", b"{}", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(20) == 0
    assert errors == [None]


async def test_valkey_answers_only_with_its_password(valkey_server: ValkeyServer) -> None:
    async with Redis.from_url(valkey_server.url) as client:
        assert await client.ping()
    async with Redis(host="127.0.0.1", port=valkey_server.port) as stranger:
        with pytest.raises(AuthenticationError):
            await stranger.ping()


@pytest.mark.server
async def test_the_script_of_the_postgresql_image_makes_the_same_databases_and_roles(
    tmp_path: Path,
) -> None:
    server = PostgresServer(tmp_path, guarded=True)
    await asyncio.to_thread(bring_up, server)
    passwords = {f"BLOOM_{role.upper()}_PASSWORD": role for service in SERVICES for role in service_roles(service)}
    environment = {
        **passwords,
        "PATH": f"{binaries()}:{os.environ['PATH']}",
        "PGHOST": HOST,
        "PGPORT": str(server.port),
        "PGPASSWORD": server.password("postgres"),
        "POSTGRES_USER": "postgres",
        "PROVISION": str(ROOT / "deploy/local/src/local_stack/provision.sql"),
    }
    script = await asyncio.create_subprocess_exec(ROOT / "deploy/local/compose/postgres.sh", env=environment)
    assert await script.wait() == 0
    connection = await asyncpg.connect(f"postgresql://auth_app:auth_app@{server.address}/bloom_auth")
    assert await connection.fetchval("select has_schema_privilege('public', 'usage')")
    assert not await connection.fetchval("select has_schema_privilege('public', 'create')")
    await connection.close()
    server.kill()
