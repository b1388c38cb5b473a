-- Chains of practices, what is known of patients' messages, and alerts with everything that happened to them.

-- Chains are added, never rewritten: who was on call when is part of the record. The newest revision is in force.
create table alert_chains (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    revision int not null check (revision > 0),
    supervisors uuid[] not null check (cardinality(supervisors) <= 20),
    on_call uuid[] not null check (cardinality(on_call) <= 20),
    set_by uuid not null,
    set_at timestamptz not null,
    primary key (tenant_id, revision)
);

create table alert_deadlines (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    revision int not null,
    step text not null check (step in ('therapist', 'supervisor', 'on_call')),
    moderate_seconds int not null check (moderate_seconds between 5 and 86400),
    high_seconds int not null check (high_seconds between 5 and 86400),
    critical_seconds int not null check (critical_seconds between 5 and 86400),
    primary key (tenant_id, revision, step),
    foreign key (tenant_id, revision) references alert_chains
);

-- One row for each change of a patient's message, made by whichever comes first: the message or its score.
create table watched_messages (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    message_id uuid not null,
    revision int not null check (revision > 0),
    conversation_id uuid not null,
    patient_id uuid not null,
    therapist_ids uuid[] not null,
    written_at timestamptz not null,
    committed_at timestamptz,
    heard_at timestamptz,
    -- Until when it may wait for a score; null once it has one, or once a person was called instead.
    due_at timestamptz,
    level text check (level in ('low', 'moderate', 'high', 'critical')),
    received_at timestamptz,
    scored_at timestamptz,
    unscored_at timestamptz,
    correlation_id uuid not null,
    -- Every event once: more than were published means that one was handled twice.
    events_handled int not null default 1 check (events_handled > 0),
    primary key (tenant_id, message_id, revision),
    check (num_nulls(level, received_at, scored_at) in (0, 3)),
    check (due_at is null or level is null),
    check (num_nulls(committed_at, heard_at) in (0, 2))
);

create index messages_without_score on watched_messages (due_at) where due_at is not null;

create table message_endings (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    message_id uuid not null,
    deleted_at timestamptz,
    withdrawn_at timestamptz,
    primary key (tenant_id, message_id),
    check (num_nonnulls(deleted_at, withdrawn_at) > 0)
);

create table alerts (
    id uuid primary key,
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    conversation_id uuid not null,
    patient_id uuid not null,
    cause text not null check (cause in ('risk', 'unscored')),
    message_id uuid not null,
    message_sent_at timestamptz not null,
    raised_at timestamptz not null,
    level text not null check (level in ('moderate', 'high', 'critical')),
    therapist_ids uuid[] not null,
    step text not null check (step in ('therapist', 'supervisor', 'on_call')),
    called uuid[] not null,
    told uuid[] not null check (cardinality(told) <= 100),
    deadline timestamptz,
    round int not null check (round > 0),
    lap int not null check (lap between 1 and round),
    revision int not null check (revision >= round),
    status text not null check (status in ('calling', 'acknowledged', 'resolved')),
    acknowledged_by uuid,
    acknowledged_at timestamptz,
    resolved_by uuid,
    resolved_at timestamptz,
    -- What the person who resolved it wrote, sealed by the service's key: nobody reads it in a table or a backup.
    sealed_note bytea,
    correlation_id uuid not null,
    unique (tenant_id, id),
    check ((status = 'calling') = (deadline is not null)),
    check (num_nulls(acknowledged_by, acknowledged_at) in (0, 2)),
    check ((status = 'calling') = (acknowledged_by is null)),
    check (num_nulls(resolved_by, resolved_at, sealed_note) in (0, 3)),
    check ((status = 'resolved') = (resolved_by is not null))
);

-- Whatever is redelivered, reordered or killed: a conversation has at most one open alert.
create unique index one_open_alert_per_conversation on alerts (tenant_id, conversation_id) where status <> 'resolved';
create index alerts_by_deadline on alerts (deadline) where status = 'calling';
create index alerts_of_a_tenant on alerts (tenant_id, id desc);

create table alert_messages (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    alert_id uuid not null,
    message_id uuid not null,
    cause text not null check (cause in ('risk', 'unscored')),
    level text not null check (level in ('moderate', 'high', 'critical')),
    added_at timestamptz not null,
    primary key (tenant_id, alert_id, message_id),
    foreign key (tenant_id, alert_id) references alerts (tenant_id, id)
);

-- Who may see an alert, and when it reached their open pages.
create table alert_people (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    alert_id uuid not null,
    user_id uuid not null,
    told_at timestamptz not null,
    pushed_at timestamptz,
    seen_at timestamptz,
    primary key (tenant_id, alert_id, user_id),
    foreign key (tenant_id, alert_id) references alerts (tenant_id, id)
);

-- Row security lets an index be used for leakproof comparisons only, such as this one; for arrays it does not.
create index alerts_of_a_person on alert_people (tenant_id, user_id, alert_id desc);

create table alert_changes (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    alert_id uuid not null,
    revision int not null check (revision > 0),
    hop text not null check (hop in ('raised', 'extended', 'escalated', 'acknowledged', 'handed_over', 'resolved')),
    at timestamptz not null,
    message_id uuid,
    user_id uuid,
    level text not null check (level in ('moderate', 'high', 'critical')),
    step text not null check (step in ('therapist', 'supervisor', 'on_call')),
    round int not null check (round > 0),
    called uuid[] not null,
    deadline timestamptz,
    primary key (tenant_id, alert_id, revision),
    foreign key (tenant_id, alert_id) references alerts (tenant_id, id)
);

create function refuse_to_change_a_resolved_alert() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if old.status = 'resolved' then
        raise exception 'a resolved alert does not change' using errcode = 'integrity_constraint_violation';
    end if;
    if new.revision <> old.revision + 1 then
        raise exception 'each change of an alert is one revision' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end
$$;

create trigger resolved_alerts_do_not_change before update on alerts
    for each row execute function refuse_to_change_a_resolved_alert();

alter table alert_chains enable row level security;
alter table alert_chains force row level security;
alter table alert_deadlines enable row level security;
alter table alert_deadlines force row level security;
alter table watched_messages enable row level security;
alter table watched_messages force row level security;
alter table message_endings enable row level security;
alter table message_endings force row level security;
alter table alerts enable row level security;
alter table alerts force row level security;
alter table alert_messages enable row level security;
alter table alert_messages force row level security;
alter table alert_people enable row level security;
alter table alert_people force row level security;
alter table alert_changes enable row level security;
alter table alert_changes force row level security;

create policy tenant_isolation on alert_chains
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on alert_deadlines
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on watched_messages
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on message_endings
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on alerts
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on alert_messages
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on alert_people
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on alert_changes
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert on alert_chains, alert_deadlines, alert_changes to notifications_app;
grant select, insert, update on watched_messages, message_endings, alerts, alert_messages, alert_people to notifications_app;

-- The clock of the worker serves all tenants. It learns no more than what is due when, by the functions below; the work itself
-- is done in a transaction of the tenant. They run as the owner, whom row security binds too but for these two policies.
create policy clock_sees_deadlines on alerts for select to notifications_owner using (true);
create policy clock_sees_waiting on watched_messages for select to notifications_owner using (true);

create function next_deadlines(most int)
    returns table (tenant_id uuid, alert_id uuid, correlation_id uuid, due_at timestamptz)
    language sql stable security definer
    set search_path = pg_catalog, public
as $$
    select a.tenant_id, a.id, a.correlation_id, a.deadline from public.alerts a
    where a.status = 'calling' order by a.deadline limit most
$$;

create function next_unscored(most int)
    returns table (tenant_id uuid, message_id uuid, revision int, correlation_id uuid, due_at timestamptz)
    language sql stable security definer
    set search_path = pg_catalog, public
as $$
    select w.tenant_id, w.message_id, w.revision, w.correlation_id, w.due_at from public.watched_messages w
    where w.due_at is not null order by w.due_at limit most
$$;

create function count_open_alerts()
    returns table (level text, status text, alerts bigint)
    language sql stable security definer
    set search_path = pg_catalog, public
as $$
    select a.level, a.status, count(*) from public.alerts a where a.status <> 'resolved' group by a.level, a.status
$$;

revoke all on function next_deadlines(int), next_unscored(int), count_open_alerts() from public;
grant execute on function next_deadlines(int), next_unscored(int), count_open_alerts() to notifications_app;
