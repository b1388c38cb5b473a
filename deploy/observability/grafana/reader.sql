-- The role by which Grafana reads the results of analytics: one view, of the tenants it was given, small groups left out.
-- For psql, as a superuser, in the database of analytics; run again, it changes nothing but the password and the tenants.
-- Variables: password; tenants, a list such as 3f0c..,7a1d.. : without it the platform as a whole, which is nobody's tenant.
\if :{?tenants}
\else
  \set tenants '00000000-0000-0000-0000-000000000000'
\endif

begin;
select 'create role analytics_dashboards login nosuperuser nocreatedb nocreaterole nobypassrls connection limit 10'
where not exists (select from pg_roles where rolname = 'analytics_dashboards') \gexec
alter role analytics_dashboards password :'password';
alter role analytics_dashboards set default_transaction_read_only = on;
alter role analytics_dashboards set statement_timeout = '10s';
select format('grant connect on database %I to analytics_dashboards', current_database()) \gexec

create schema if not exists dashboards authorization analytics_owner;
grant usage on schema dashboards to analytics_dashboards;
set local role analytics_owner;

-- Which tenants a role may see. The role itself can read neither this nor any table of analytics.
create table if not exists dashboards.readers (
    role_name name not null,
    tenant_id uuid not null,
    primary key (role_name, tenant_id)
);
delete from dashboards.readers where role_name = 'analytics_dashboards';
insert into dashboards.readers
select 'analytics_dashboards', tenant_id::uuid from unnest(string_to_array(:'tenants', ',')) as tenant_id;

-- The view below runs with its owner's rights, and row security binds the owner: this lets the view see what its caller may.
drop policy if exists dashboards_read on public.series;
drop policy if exists dashboards_read on public.windows;
drop policy if exists dashboards_read on public.closed_windows;
create policy dashboards_read on public.series for select to analytics_owner
    using (tenant_id in (select r.tenant_id from dashboards.readers r where r.role_name = current_user));
create policy dashboards_read on public.windows for select to analytics_owner
    using (tenant_id in (select r.tenant_id from dashboards.readers r where r.role_name = current_user));
create policy dashboards_read on public.closed_windows for select to analytics_owner
    using (tenant_id in (select r.tenant_id from dashboards.readers r where r.role_name = current_user));

-- One row a window, with what a late event added to a closed one. Results of single therapists stay out. A barrier: no
-- condition of the caller runs before ours. The tenants are asked for here too, because a caller can set app.tenant_id.
create or replace view dashboards.results with (security_barrier) as
select
    g.tenant_id, g.metric, g.dimensions::jsonb as dimensions, g.span, g.starts_at, g.ends_at,
    case when g.n >= g.smallest_group then g.n end as count,
    case when g.n >= g.smallest_group then g.total end as total,
    g.is_final,
    g.n < g.smallest_group as is_suppressed
from (
    select
        s.tenant_id, s.metric, s.dimensions, w.span, w.starts_at, w.ends_at,
        sum(w.n)::bigint as n, sum(w.total)::bigint as total, bool_and(w.is_final) as is_final,
        coalesce(max(small.smallest_group), 1) as smallest_group
    from public.series s
    join (
        select tenant_id, series_id, span, starts_at, ends_at, n, total, is_final from public.windows
        union all
        select tenant_id, series_id, span, starts_at, ends_at, n, total, true from public.closed_windows
    ) w on w.tenant_id = s.tenant_id and w.series_id = s.id
    left join (values ('risk.scored', 5)) as small (metric, smallest_group) on small.metric = s.metric
    where s.tenant_id in (select r.tenant_id from dashboards.readers r where r.role_name = current_user)
        and s.dimensions not like '%"therapist_id"%'
    group by s.tenant_id, s.metric, s.dimensions, w.span, w.starts_at, w.ends_at
) g;
grant select on dashboards.results to analytics_dashboards;
commit;
