"""The plumbing tables are the kit's own, and every business table has forced row security."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def test_the_first_migration_is_the_kits_plumbing_with_this_services_roles() -> None:
    canonical = files("service_kit").joinpath("outbox.sql").read_text()
    expected = canonical.replace("{app}", "appointments_app").replace("{relay}", "appointments_relay")
    assert (MIGRATIONS / "0001_plumbing.sql").read_text() == expected


def test_every_business_table_has_a_tenant_and_forced_row_security() -> None:
    sql = "".join(path.read_text() for path in sorted(MIGRATIONS.glob("*.sql")) if path.name != "0001_plumbing.sql")
    tables = re.findall(r"create table (\w+) \(\n    tenant_id uuid not null", sql)
    assert len(tables) == sql.count("create table") > 0
    for table in tables:
        assert f"alter table {table} force row level security" in sql
        assert f"create policy tenant_isolation on {table}" in sql
