"""Which migrations the release before can live with: read from the statements, not from what their authors meant."""

from pathlib import Path

import pytest

from tools.migration_rules import migrations_fit_two_releases, narrowing_statements

NARROWING = [
    "alter table visits drop column note",
    "alter table visits rename column note to remark",
    "alter table visits rename to meetings",
    "alter table visits alter column note set not null",
    "alter table visits alter column note type varchar(20)",
    "alter table visits add column place text not null",
    "alter table visits add column place text, drop column note",
    "alter table visits add constraint short check (length(note) < 20)",
    "alter table visits enable row level security",
    "create unique index one_a_day on visits (patient_id, day)",
    "create policy only_mine on visits as restrictive using (false)",
    "drop table visits",
    "drop function next_visit(int)",
    "revoke insert on visits from billing_app",
    "truncate visits",
    "update visits set note = ''",
    "delete from visits",
]
WIDENING = [
    "alter table visits add column place text",
    "alter table visits add column place text not null default 'here', add column room text",
    "alter table visits add column price numeric(10, 2), add column rate numeric(4, 2) not null default 1.00",
    "create index visits_by_day on visits (day)",
    "create policy owners_see on visits for select to billing_owner using (true)",
    "create table rooms (id uuid primary key); alter table rooms add constraint named check (id is not null)",
    "create table rooms (id uuid); alter table rooms force row level security; create unique index one on rooms (id)",
    "create or replace function next_visit(int) returns int language sql as $$ delete from visits; select 1 $$",
    "grant select on visits to billing_app",
    "create function f() returns int language sql as $$ select 1 $$; revoke all on function f() from public",
]


@pytest.mark.parametrize("sql", NARROWING)
def test_what_takes_away_or_asks_for_more_is_found(sql):
    assert list(narrowing_statements(f"-- A change.\n{sql};\n"))


@pytest.mark.parametrize("sql", WIDENING)
def test_what_only_adds_is_let_through(sql):
    assert list(narrowing_statements(f"-- A change; drop table visits.\n{sql};\n")) == []


def test_a_file_may_say_why_no_running_code_minds(tmp_path: Path):
    path = tmp_path / "services/pets/migrations/0007_no_notes.sql"
    path.parent.mkdir(parents=True)
    path.write_text("alter table visits drop column note;\n")
    assert list(migrations_fit_two_releases(tmp_path)) == [
        "services/pets/migrations/0007_no_notes.sql: running code may need what this changes: alter table visits drop column note"
    ]
    path.write_text("-- narrows: nothing has read or written notes since release 3.\nalter table visits drop column note;\n")
    assert list(migrations_fit_two_releases(tmp_path)) == []
