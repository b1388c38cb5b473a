-- What other services tell about people: accounts, the visits that make a care relationship, sessions that ended.
create table people (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    user_id uuid not null,
    role text not null check (role in ('PATIENT', 'THERAPIST', 'ADMINISTRATOR')),
    status text not null check (status in ('active', 'pending_verification', 'suspended')),
    changed_at timestamptz not null,
    primary key (tenant_id, user_id)
);

-- One row per appointment: patient and therapist have a care relationship as long as one of their rows stands.
create table care_relationships (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    appointment_id uuid not null,
    patient_id uuid not null,
    therapist_id uuid not null,
    stands boolean not null,
    revision int not null check (revision > 0),
    primary key (tenant_id, appointment_id)
);
create index care_relationships_by_pair on care_relationships (tenant_id, patient_id, therapist_id) where stands;

-- Open connections of these sessions are cut; a row is needed only as long as a token of the session could still be valid.
create table ended_sessions (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    session_id uuid not null,
    user_id uuid not null,
    ended_at timestamptz not null,
    primary key (tenant_id, session_id)
);
create index ended_sessions_by_age on ended_sessions (tenant_id, ended_at);

alter table people enable row level security;
alter table people force row level security;
create policy tenant_isolation on people
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table care_relationships enable row level security;
alter table care_relationships force row level security;
create policy tenant_isolation on care_relationships
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table ended_sessions enable row level security;
alter table ended_sessions force row level security;
create policy tenant_isolation on ended_sessions
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on people, care_relationships to messaging_app;
grant select, insert, delete on ended_sessions to messaging_app;
