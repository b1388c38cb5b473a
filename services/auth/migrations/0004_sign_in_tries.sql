-- Tries at a password, counted per address (known or not) under a keyed mark of it.

create table sign_in_tries (
    tenant_id         uuid        not null references tenants (id),
    address_mark      bytea       not null check (octet_length(address_mark) = 32),
    count             integer     not null check (count >= 0),
    window_started_at timestamptz not null,
    locked_until      timestamptz,
    primary key (tenant_id, address_mark)
);

create index sign_in_tries_oldest_first on sign_in_tries (tenant_id, window_started_at);

alter table sign_in_tries enable row level security;
alter table sign_in_tries force row level security;
create policy tenant_isolation on sign_in_tries
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update, delete on sign_in_tries to auth_app;
