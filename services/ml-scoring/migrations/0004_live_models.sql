-- The model that an organisation chose, pinned to its content; without a row it is scored by the one that the settings name.

create table live_models (
    tenant_id      uuid        primary key default nullif(current_setting('app.tenant_id', true), '')::uuid,
    revision       int         not null check (revision > 0),
    name           text        not null,
    version        text        not null,
    seal           text        not null check (seal ~ '^[0-9a-f]{64}$'),
    activated_by   uuid        not null,
    activated_at   timestamptz not null,
    -- Why a worker could not load it: until it can, that worker scores with what it had before.
    refused_reason text,
    refused_at     timestamptz,
    check ((refused_reason is null) = (refused_at is null))
);

alter table live_models enable row level security;
alter table live_models force row level security;

create policy tenant_isolation on live_models
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on live_models to ml_scoring_app;

-- A worker scores for all tenants, so it has to know what each of them chose.
create policy choices_are_followed on live_models for select to ml_scoring_owner using (true);

create function chosen_models() returns table (tenant_id uuid, revision int, name text, version text, seal text)
    language sql stable security definer set search_path = pg_catalog, public
as $$
    select m.tenant_id, m.revision, m.name, m.version, m.seal from live_models m
$$;

revoke execute on function chosen_models() from public;
grant execute on function chosen_models() to ml_scoring_app;
