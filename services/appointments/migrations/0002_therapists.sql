-- The therapist directory and its working hours. Local times are minutes of the day (0 to 1440) in the therapist's own zone.
create table therapists (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    display_name text not null check (length(display_name) between 1 and 200),
    accepts_new_patients boolean not null,
    time_zone text not null check (length(time_zone) between 1 and 64),
    slot_minutes int not null check (slot_minutes between 5 and 480),
    buffer_before_minutes int not null check (buffer_before_minutes between 0 and 240),
    buffer_after_minutes int not null check (buffer_after_minutes between 0 and 240),
    languages text[] not null,
    specialties text[] not null,
    revision int not null check (revision > 0),
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id)
);
create index therapists_by_name on therapists (tenant_id, display_name, id);

-- A suspension may arrive before the therapist is known here, so it has a table of its own.
create table therapist_standings (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    therapist_id uuid not null,
    is_suspended boolean not null,
    changed_at timestamptz not null,
    event_id uuid not null,
    primary key (tenant_id, therapist_id)
);

create table weekly_hours (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    therapist_id uuid not null,
    weekday smallint not null check (weekday between 1 and 7),
    opens_minute smallint not null check (opens_minute between 0 and 1439),
    closes_minute smallint not null check (closes_minute between 1 and 1440),
    primary key (tenant_id, therapist_id, weekday, opens_minute),
    foreign key (tenant_id, therapist_id) references therapists (tenant_id, id),
    check (opens_minute < closes_minute),
    constraint weekly_hours_do_not_overlap exclude using gist (
        tenant_id with =, therapist_id with =, weekday with =, int4range(opens_minute, closes_minute) with &&
    )
);

create table availability_exceptions (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    therapist_id uuid not null,
    kind text not null check (kind in ('closed', 'open')),
    first_on date not null,
    last_on date not null,
    opens_minute smallint check (opens_minute between 0 and 1439),
    closes_minute smallint check (closes_minute between 1 and 1440),
    created_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, id),
    foreign key (tenant_id, therapist_id) references therapists (tenant_id, id),
    check (first_on <= last_on),
    check ((opens_minute is null) = (closes_minute is null)),
    check (opens_minute < closes_minute),
    check (kind = 'closed' or opens_minute is not null)
);
create index availability_exceptions_by_day on availability_exceptions (tenant_id, therapist_id, first_on, id);

alter table therapists enable row level security;
alter table therapists force row level security;
create policy tenant_isolation on therapists
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table therapist_standings enable row level security;
alter table therapist_standings force row level security;
create policy tenant_isolation on therapist_standings
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table weekly_hours enable row level security;
alter table weekly_hours force row level security;
create policy tenant_isolation on weekly_hours
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table availability_exceptions enable row level security;
alter table availability_exceptions force row level security;
create policy tenant_isolation on availability_exceptions
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on therapists, therapist_standings to appointments_app;
grant select, insert, delete on weekly_hours, availability_exceptions to appointments_app;
