-- Accounts, as auth tells of them: who may be called. Names and addresses are not among it.

create table people (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    user_id uuid not null,
    role text not null check (role in ('PATIENT', 'THERAPIST', 'ADMINISTRATOR')),
    is_verified boolean not null,
    is_suspended boolean not null,
    -- Which suspension or reinstatement was the last, by its own time: they may come in any order.
    standing_at timestamptz not null,
    standing_event_id uuid not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, user_id)
);

-- The default chain calls administrators; they are read with every alert.
create index administrators_of_a_tenant on people (tenant_id) where role = 'ADMINISTRATOR';

alter table people enable row level security;
alter table people force row level security;

create policy tenant_isolation on people
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on people to notifications_app;
