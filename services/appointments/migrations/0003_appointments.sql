-- Appointments and who takes part in them. The two exclusion constraints make a double booking impossible, whatever the code does.
create table appointments (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    patient_id uuid not null,
    therapist_id uuid not null,
    visit_type text not null check (visit_type in ('initial', 'standard', 'extended')),
    status text not null check (status in ('booked', 'confirmed', 'cancelled', 'completed', 'no_show')),
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    -- The visit with the therapist's buffers as they were when it was booked.
    blocked_from timestamptz not null,
    blocked_until timestamptz not null,
    revision int not null check (revision > 0),
    booked_at timestamptz not null,
    confirmed_at timestamptz,
    cancelled_by text check (cancelled_by in ('patient', 'therapist', 'administrator')),
    closed_at timestamptz,
    primary key (tenant_id, id),
    foreign key (tenant_id, therapist_id) references therapists (tenant_id, id),
    check (starts_at < ends_at),
    check (blocked_from <= starts_at and blocked_until >= ends_at),
    check ((status in ('booked', 'confirmed')) = (closed_at is null)),
    check ((status = 'cancelled') = (cancelled_by is not null)),
    constraint therapist_is_free exclude using gist (
        tenant_id with =, therapist_id with =, tstzrange(blocked_from, blocked_until) with &&
    ) where (status in ('booked', 'confirmed')),
    constraint patient_is_free exclude using gist (
        tenant_id with =, patient_id with =, tstzrange(starts_at, ends_at) with &&
    ) where (status in ('booked', 'confirmed'))
);
create index appointments_by_time on appointments (tenant_id, starts_at, id);
create index appointments_by_therapist on appointments (tenant_id, therapist_id, starts_at, id);
create index appointments_by_patient on appointments (tenant_id, patient_id, starts_at, id);

create table appointment_attendees (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    appointment_id uuid not null,
    user_id uuid not null,
    role text not null check (role in ('patient', 'therapist')),
    primary key (tenant_id, appointment_id, user_id),
    foreign key (tenant_id, appointment_id) references appointments (tenant_id, id)
);
create index appointment_attendees_by_user on appointment_attendees (tenant_id, user_id, appointment_id);

alter table appointments enable row level security;
alter table appointments force row level security;
create policy tenant_isolation on appointments
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table appointment_attendees enable row level security;
alter table appointment_attendees force row level security;
create policy tenant_isolation on appointment_attendees
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on appointments to appointments_app;
grant select, insert on appointment_attendees to appointments_app;
