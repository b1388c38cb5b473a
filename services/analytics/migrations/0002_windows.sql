-- State of windows: whole numbers that only ever have something added, saved in one transaction with how far the log was read.

-- How far each partition was read; no tenant owns these rows, and nothing of any is in them.
create table partitions (
    topic text not null,
    partition int not null check (partition >= 0),
    next_offset bigint not null check (next_offset >= 0),
    -- The latest time of an event so far, of those that were not too far in the future.
    watermark timestamptz,
    -- When records came last, by our clock; null while none did.
    active_at timestamptz,
    -- When it was known last that there is nothing more to read: what is idle since then holds no window open, whereas a
    -- partition that nobody reads does.
    caught_up_at timestamptz,
    primary key (topic, partition)
);

-- The ids of the latest events of each partition, 16 bytes each, a row a batch: a relay that was killed sends some again.
create table handled_batches (
    topic text not null,
    partition int not null,
    last_offset bigint not null,
    event_ids bytea not null check (length(event_ids) % 16 = 0),
    primary key (topic, partition, last_offset),
    foreign key (topic, partition) references partitions
);

-- A metric of one group of one tenant. Windows refer to it by a number, so that their rows are small.
create table series (
    id bigint generated always as identity primary key,
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    metric text not null,
    -- A JSON object with sorted keys, such as {"therapist_id":".."}; {} for the tenant as a whole.
    dimensions text not null,
    unique (tenant_id, metric, dimensions),
    unique (tenant_id, id)
);

create table windows (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    series_id bigint not null,
    span text not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null check (ends_at > starts_at),
    n bigint not null check (n >= 0),
    total bigint not null,
    revision int not null default 0 check (revision >= 0),
    is_final boolean not null default false,
    -- Since when something is untold; null once the newest state was published.
    changed_at timestamptz,
    primary key (tenant_id, series_id, span, starts_at),
    foreign key (tenant_id, series_id) references series (tenant_id, id)
);
create index windows_untold on windows (changed_at) where changed_at is not null;
create index windows_open on windows (ends_at) where not is_final;
create index windows_done on windows (ends_at) where is_final and changed_at is null;

-- Percentiles: how many values fell into each bucket of the sketch.
create table window_buckets (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    series_id bigint not null,
    span text not null,
    starts_at timestamptz not null,
    bucket int not null,
    n bigint not null check (n > 0),
    primary key (tenant_id, series_id, span, starts_at, bucket),
    foreign key (tenant_id, series_id, span, starts_at) references windows on delete cascade
);

-- Distinct counts: a keyed hash of each member, which leads to nobody.
create table window_members (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    series_id bigint not null,
    span text not null,
    starts_at timestamptz not null,
    member bytea not null check (length(member) = 16),
    primary key (tenant_id, series_id, span, starts_at, member),
    foreign key (tenant_id, series_id, span, starts_at) references windows on delete cascade
);

-- Final windows that nothing is expected for any more, out of the way of the hot ones. A late event makes a row of `windows`
-- again with what it adds alone; whoever publishes that adds both together here.
create table closed_windows (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    series_id bigint not null,
    span text not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    n bigint not null,
    total bigint not null,
    revision int not null check (revision > 0),
    -- {"bucket": n} and the members, as long as corrections are taken.
    buckets jsonb,
    members bytea,
    closed_at timestamptz not null,
    primary key (tenant_id, series_id, span, starts_at),
    foreign key (tenant_id, series_id) references series (tenant_id, id)
);

-- Who has an account and which sessions run, for the numbers of administrators: the latest fact of each wins, in any order.
create table people (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    user_id uuid not null,
    role text not null check (role in ('PATIENT', 'THERAPIST', 'ADMINISTRATOR')),
    registered_at timestamptz not null,
    primary key (tenant_id, user_id)
);
create index people_by_age on people (tenant_id, registered_at);

create table sessions (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    session_id uuid not null,
    -- Null until its start was heard: the end may come first.
    expires_at timestamptz,
    revoked_at timestamptz,
    primary key (tenant_id, session_id)
);
create index sessions_by_end on sessions (tenant_id, expires_at) where revoked_at is null;

-- Rows of no tenant: the application's role reads and writes them all.
alter table partitions enable row level security;
alter table partitions force row level security;
alter table handled_batches enable row level security;
alter table handled_batches force row level security;
create policy worker_reads_all on partitions to analytics_app using (true) with check (true);
create policy worker_reads_all on handled_batches to analytics_app using (true) with check (true);

alter table series enable row level security;
alter table series force row level security;
alter table windows enable row level security;
alter table windows force row level security;
alter table window_buckets enable row level security;
alter table window_buckets force row level security;
alter table window_members enable row level security;
alter table window_members force row level security;
alter table closed_windows enable row level security;
alter table closed_windows force row level security;
alter table people enable row level security;
alter table people force row level security;
alter table sessions enable row level security;
alter table sessions force row level security;

create policy tenant_isolation on series
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on windows
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on window_buckets
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on window_members
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on closed_windows
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on people
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on sessions
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update, delete on partitions, handled_batches to analytics_app;
grant select, insert on series to analytics_app;
grant select, insert, update, delete on windows, window_buckets, window_members, closed_windows to analytics_app;
grant select, insert, update on people, sessions to analytics_app;

-- The worker tells of windows of all tenants and may see no more of them than this: whose turn it is, and figures.
create policy turns_are_seen on windows for select to analytics_owner using (true);

-- Whose windows have changed, or have come to their end and were not told as final.
create function tenants_with_news(untold_until timestamptz, ended_until timestamptz) returns table (tenant_id uuid)
    language sql stable security definer set search_path = pg_catalog, public
as $$
    select w.tenant_id from windows w where w.changed_at <= untold_until
    union
    select w.tenant_id from windows w where not w.is_final and w.ends_at <= ended_until
$$;

-- Whose final windows may be put out of the way.
create function tenants_with_done(ended_until timestamptz) returns table (tenant_id uuid)
    language sql stable security definer set search_path = pg_catalog, public
as $$
    select distinct w.tenant_id from windows w where w.is_final and w.changed_at is null and w.ends_at <= ended_until
$$;

create function untold_figures() returns table (untold bigint, oldest timestamptz)
    language sql stable security definer set search_path = pg_catalog, public
as $$
    select count(*), min(u.changed_at)
    from (select w.changed_at from windows w where w.changed_at is not null order by w.changed_at limit 1000) as u
$$;

revoke execute on function tenants_with_news(timestamptz, timestamptz), tenants_with_done(timestamptz), untold_figures() from public;
grant execute on function tenants_with_news(timestamptz, timestamptz), tenants_with_done(timestamptz), untold_figures()
    to analytics_app;
