-- Appointments as their newest event tells them, and the reminders that are still to come.

create table visits (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    appointment_id uuid not null,
    revision int not null check (revision > 0),
    patient_id uuid not null,
    therapist_id uuid not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    is_ahead boolean not null,
    updated_at timestamptz not null,
    primary key (tenant_id, appointment_id),
    check (starts_at < ends_at)
);

create table reminders (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    appointment_id uuid not null,
    template text not null check (template in ('appointment_reminder_24h', 'appointment_reminder_1h')),
    -- The revision that set the time: another time is another reminder.
    round int not null check (round > 0),
    due_at timestamptz not null,
    -- From then on it would say nothing new.
    expires_at timestamptz not null,
    primary key (tenant_id, appointment_id, template),
    foreign key (tenant_id, appointment_id) references visits,
    check (due_at < expires_at)
);

create index reminders_due on reminders (due_at);

alter table visits enable row level security;
alter table visits force row level security;
alter table reminders enable row level security;
alter table reminders force row level security;

create policy tenant_isolation on visits to notifications_app
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on reminders to notifications_app
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy owner_sees_when on reminders for select to notifications_owner using (true);

grant select, insert, update on visits to notifications_app;
grant select, insert, update, delete on reminders to notifications_app;

create function tenants_with_reminders(at timestamptz) returns table (tenant_id uuid, due_at timestamptz)
    language sql stable security definer
    set search_path = pg_catalog, public
as $$
    (select t.tenant_id, min(t.due_at) from public.reminders t where t.due_at <= at group by t.tenant_id order by 2)
    union all
    (select t.tenant_id, t.due_at from public.reminders t where t.due_at > at order by t.due_at limit 1)
$$;

revoke all on function tenants_with_reminders(timestamptz) from public;
grant execute on function tenants_with_reminders(timestamptz) to notifications_app;

create function notify_reminders() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    perform pg_notify('reminders_due', '');
    return null;
end
$$;

create trigger reminders_planned after insert on reminders
    for each statement execute function notify_reminders();
