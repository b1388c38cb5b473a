-- Alerts as each person who is called sees them: the state to push to their open connections, and when that was done.
create table alert_pushes (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    alert_id uuid not null,
    user_id uuid not null,
    conversation_id uuid not null,
    patient_id uuid not null,
    state text not null check (state in ('raised', 'extended', 'escalated', 'acknowledged', 'handed-over', 'resolved')),
    level text not null check (level in ('low', 'moderate', 'high', 'critical')),
    step text check (step in ('therapist', 'supervisor', 'on_call')),
    deadline timestamptz,
    revision int not null check (revision > 0),
    changed_at timestamptz not null,
    pushed_at timestamptz,
    seen_at timestamptz,
    primary key (tenant_id, alert_id, user_id)
);
create index alert_pushes_by_user on alert_pushes (tenant_id, user_id, changed_at);

alter table alert_pushes enable row level security;
alter table alert_pushes force row level security;
create policy tenant_isolation on alert_pushes
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on alert_pushes to messaging_app;
