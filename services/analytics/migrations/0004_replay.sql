-- Shadows: what a replay builds from the log beside the live tables, by the same statements, for they have the same names.
-- They are worth nothing after a crash, so nothing of them is logged: a replay begins anew.
create schema shadow;
grant usage on schema shadow to analytics_app;

create unlogged table shadow.series (like public.series including all);
create unlogged table shadow.windows (like public.windows including all);
create unlogged table shadow.window_buckets (like public.window_buckets including all);
create unlogged table shadow.window_members (like public.window_members including all);
create unlogged table shadow.people (like public.people including all);
create unlogged table shadow.sessions (like public.sessions including all);

alter table shadow.series enable row level security;
alter table shadow.series force row level security;
alter table shadow.windows enable row level security;
alter table shadow.windows force row level security;
alter table shadow.window_buckets enable row level security;
alter table shadow.window_buckets force row level security;
alter table shadow.window_members enable row level security;
alter table shadow.window_members force row level security;
alter table shadow.people enable row level security;
alter table shadow.people force row level security;
alter table shadow.sessions enable row level security;
alter table shadow.sessions force row level security;

create policy tenant_isolation on shadow.series
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on shadow.windows
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on shadow.window_buckets
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on shadow.window_members
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on shadow.people
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on shadow.sessions
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update, delete, truncate on all tables in schema shadow to analytics_app;
-- What the log does not give is removed when the rebuilt ones are put in place.
grant delete on people, sessions to analytics_app;

-- A replay is about all tenants and sees of them only who they are; their rows it sees tenant by tenant.
create policy owners_are_seen on public.series for select to analytics_owner using (true);
create policy owners_are_seen on public.people for select to analytics_owner using (true);
create policy owners_are_seen on public.sessions for select to analytics_owner using (true);
create policy owners_are_seen on shadow.series for select to analytics_owner using (true);
create policy owners_are_seen on shadow.people for select to analytics_owner using (true);
create policy owners_are_seen on shadow.sessions for select to analytics_owner using (true);

-- The tenants that have something of a metric, or of the table `people` or `sessions`, live or rebuilt.
create function tenants_of(model text) returns table (tenant_id uuid)
    language sql stable security definer set search_path = pg_catalog, public
as $$
    select s.tenant_id from public.series s where s.metric = model
    union select s.tenant_id from shadow.series s where s.metric = model
    union select p.tenant_id from public.people p where model = 'people'
    union select p.tenant_id from shadow.people p where model = 'people'
    union select s.tenant_id from public.sessions s where model = 'sessions'
    union select s.tenant_id from shadow.sessions s where model = 'sessions'
$$;

revoke execute on function tenants_of(text) from public;
grant execute on function tenants_of(text) to analytics_app;
