-- Plumbing tables of every service: outbox, parked rows, inbox and idempotency keys.
-- The canonical text: each service's migrations/0001_plumbing.sql is this file with its role names in place.

-- Rows hold what goes on the wire, ready made, so that the relay does no encoding per row.
-- headers: a JSON object of text, read whole by the relay and never by PostgreSQL.
create table outbox (
    id           bigint generated always as identity primary key,
    event_id     uuid        not null unique,
    tenant_id    uuid        not null,
    topic        text        not null,
    type         text        not null,
    key          bytea       not null,
    headers      text        not null,
    payload      bytea       not null,
    timestamp_ms bigint      not null,
    created_at   timestamptz not null default clock_timestamp()
);

-- The table is a queue: rows live for milliseconds, so vacuum has to follow the deletes closely.
alter table outbox set (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_vacuum_cost_delay = 0
);

create table outbox_parked (
    id           bigint      primary key,
    event_id     uuid        not null unique,
    tenant_id    uuid        not null,
    topic        text        not null,
    type         text        not null,
    key          bytea       not null,
    headers      text        not null,
    payload      bytea       not null,
    timestamp_ms bigint      not null,
    created_at   timestamptz not null,
    reason       text        not null,
    parked_at    timestamptz not null default clock_timestamp()
);

create table inbox (
    consumer   text        not null,
    event_id   uuid        not null,
    handled_at timestamptz not null default now(),
    primary key (consumer, event_id)
);

create table idempotency_keys (
    tenant_id    uuid        not null,
    subject      uuid        not null,
    route        text        not null,
    key          text        not null,
    request_hash bytea       not null,
    status       int         not null,
    headers      jsonb       not null,
    body         bytea       not null,
    created_at   timestamptz not null default now(),
    primary key (tenant_id, subject, route, key)
);

create index idempotency_keys_by_age on idempotency_keys (created_at);

-- One notification per statement: a commit with a pending one takes an instance-wide lock.
create function notify_outbox() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    perform pg_notify('outbox', '');
    return null;
end
$$;

create trigger outbox_inserted after insert on outbox
    for each statement execute function notify_outbox();

alter table outbox enable row level security;
alter table outbox force row level security;
alter table outbox_parked enable row level security;
alter table outbox_parked force row level security;
alter table idempotency_keys enable row level security;
alter table idempotency_keys force row level security;

create policy tenant_isolation on outbox for insert to analytics_app
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy relay_reads_all on outbox to analytics_relay using (true) with check (true);
create policy relay_reads_all on outbox_parked to analytics_relay using (true) with check (true);
create policy tenant_isolation on idempotency_keys
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy relay_removes_old on idempotency_keys to analytics_relay using (true) with check (false);

grant insert on outbox to analytics_app;
grant select, insert, delete on inbox to analytics_app;
grant select, insert, delete on idempotency_keys to analytics_app;
grant select, insert, delete on outbox, outbox_parked to analytics_relay;
-- Housekeeping sees which answers are old, never what they say.
grant select (tenant_id, subject, route, key, created_at), delete on idempotency_keys to analytics_relay;
