"""Migrations: each once, in order, one process at a time, and never changed afterwards."""

import asyncio

import asyncpg
import pytest
from pydantic import SecretStr

from service_kit.migrate import MigrationsDoNotFit, migrate, read_migrations


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "0001_first.sql").write_text("create table first (id int); create table also (id int);")
    (tmp_path / "0002_second.sql").write_text("create table second (id int);")
    return tmp_path


@pytest.fixture
def owner_url(postgres_server):
    database = postgres_server.create_service_database("sample", name="migrated")
    yield SecretStr(database.owner_url)
    postgres_server.drop_database("migrated")


async def tables(owner_url):
    connection = await asyncpg.connect(owner_url.get_secret_value())
    rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public' order by tablename")
    await connection.close()
    return [row["tablename"] for row in rows]


async def test_each_file_runs_once_and_in_order(owner_url, folder):
    assert await migrate(owner_url, folder) == ["0001_first.sql", "0002_second.sql"]
    assert await migrate(owner_url, folder) == []
    (folder / "0003_third.sql").write_text("create table third (id int);")
    assert await migrate(owner_url, folder) == ["0003_third.sql"]
    assert await tables(owner_url) == ["also", "first", "schema_migrations", "second", "third"]


async def test_many_processes_at_once_run_each_file_once(owner_url, folder):
    ran = await asyncio.gather(*(migrate(owner_url, folder) for _ in range(6)))
    assert sorted(name for names in ran for name in names) == ["0001_first.sql", "0002_second.sql"]


async def test_a_file_that_fails_leaves_nothing_and_may_be_mended(owner_url, folder):
    broken = folder / "0002_second.sql"
    broken.write_text("create table second (id int); select 1/0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(owner_url, folder)
    assert await tables(owner_url) == ["also", "first", "schema_migrations"]
    broken.write_text("create table second (id int);")
    assert await migrate(owner_url, folder) == ["0002_second.sql"]


async def test_a_file_that_was_changed_after_it_ran_is_refused(owner_url, folder):
    await migrate(owner_url, folder)
    (folder / "0001_first.sql").write_text("create table first (id bigint);")
    (folder / "0003_third.sql").write_text("create table third (id int);")
    with pytest.raises(MigrationsDoNotFit, match="0001_first"):
        await migrate(owner_url, folder)
    assert "third" not in await tables(owner_url)


async def test_a_file_that_is_gone_after_it_ran_is_refused(owner_url, folder):
    await migrate(owner_url, folder)
    (folder / "0002_second.sql").unlink()
    with pytest.raises(MigrationsDoNotFit, match="0002_second"):
        await migrate(owner_url, folder)


async def test_a_statement_that_takes_too_long_is_given_up(owner_url, folder):
    (folder / "0003_slow.sql").write_text("select pg_sleep(30);")
    with pytest.raises(asyncpg.QueryCanceledError):
        await migrate(owner_url, folder, statement_timeout_seconds=0.1)
    assert "second" in await tables(owner_url)


@pytest.mark.parametrize("name", ["0003_Bad.sql", "3_third.sql", "0004_gap.sql", "0002_twice.sql"])
def test_files_out_of_turn_are_refused(folder, name):
    (folder / name).write_text("select 1;")
    with pytest.raises(MigrationsDoNotFit):
        read_migrations(folder)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(MigrationsDoNotFit, match="numbered from 0001"):
        read_migrations(tmp_path)
