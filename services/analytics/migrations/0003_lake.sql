-- The lake: which files count, and up to where the log is in them. No tenant owns these rows: a file holds events of all tenants.

-- Up to where each partition of the topics of record is in files.
create table lake_positions (
    topic text not null,
    partition int not null check (partition >= 0),
    next_offset bigint not null check (next_offset >= 0),
    primary key (topic, partition)
);

-- The files that count. What lies in the store and has no row here is what a crash left behind.
create table lake_files (
    path text primary key,
    type text not null,
    happened_on date not null,
    row_count bigint not null check (row_count > 0),
    size_bytes bigint not null check (size_bytes > 0),
    sha256 bytea not null check (length(sha256) = 32),
    -- 0 for what was written from the log, else the number of the compaction of its type and day.
    generation int not null check (generation >= 0),
    topic text,
    partition int,
    first_offset bigint,
    until_offset bigint check (until_offset > first_offset),
    -- Since when a compacted file has taken its place; it stays a while for those who read it just then.
    superseded_at timestamptz,
    written_at timestamptz not null,
    check ((generation = 0) = (topic is not null and partition is not null and first_offset is not null and until_offset is not null))
);
create index lake_files_of_a_day on lake_files (happened_on, type) where superseded_at is null;
create index lake_files_superseded on lake_files (superseded_at) where superseded_at is not null;

-- The revision of each date's files, and the one that the newest manifest in the store says.
create table lake_dates (
    happened_on date primary key,
    revision bigint not null check (revision > 0),
    told_revision bigint not null default 0 check (told_revision <= revision)
);
create index lake_dates_untold on lake_dates (happened_on) where told_revision < revision;

-- Records that are in no file, because nobody can read them, or not yet: the topic keeps them, and here is where they are.
create table lake_aside (
    topic text not null,
    partition int not null,
    record_offset bigint not null,
    reason text not null,
    -- What the record says it is, when that is the only thing that is not known.
    type text,
    primary key (topic, partition, record_offset)
);

alter table lake_positions enable row level security;
alter table lake_positions force row level security;
alter table lake_files enable row level security;
alter table lake_files force row level security;
alter table lake_dates enable row level security;
alter table lake_dates force row level security;
alter table lake_aside enable row level security;
alter table lake_aside force row level security;

create policy no_tenant_owns_these on lake_positions to analytics_app using (true) with check (true);
create policy no_tenant_owns_these on lake_files to analytics_app using (true) with check (true);
create policy no_tenant_owns_these on lake_dates to analytics_app using (true) with check (true);
create policy no_tenant_owns_these on lake_aside to analytics_app using (true) with check (true);

grant select, insert, update on lake_positions, lake_dates to analytics_app;
grant select, insert, update, delete on lake_files to analytics_app;
grant select, insert, delete on lake_aside to analytics_app;
