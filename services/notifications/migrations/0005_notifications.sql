-- Everything that somebody is told outside of Bloom: one row per person, channel and occasion, from intent to outcome.

create table notifications (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    user_id uuid not null,
    channel text not null check (channel in ('email', 'sms', 'push')),
    -- Which of a person's browsers; all zeros where a person has but one address.
    target_id uuid not null default '00000000-0000-0000-0000-000000000000',
    template text not null check (template ~ '^[a-z][a-z0-9_]{0,63}$'),
    about uuid not null,
    -- Which of several calls or changes: an alert's round, an appointment's revision.
    occasion text not null check (occasion ~ '^[a-z][a-z0-9_]{0,63}$'),
    urgency text not null check (urgency in ('routine', 'urgent', 'critical')),
    -- Times and numbers that the text needs; never a name, an address or what somebody wrote.
    facts jsonb not null,
    status text not null check (status in ('pending', 'sending', 'unknown', 'sent', 'failed', 'suppressed')),
    -- When it is looked at next: to send it, or, once a provider may have it, to ask that provider.
    due_at timestamptz,
    expires_at timestamptz not null,
    attempts int not null default 0 check (attempts >= 0),
    -- Where it goes, only while it is on its way: the question to the provider needs it.
    address text check (char_length(address) <= 1000),
    called_at timestamptz,
    provider_id text check (char_length(provider_id) <= 1000),
    reason text check (reason ~ '^[a-z][a-z0-9_]{0,63}$'),
    -- Why it must not go out any more; one that may be out already is asked for first, and not sent again.
    withdrawn text check (withdrawn ~ '^[a-z][a-z0-9_]{0,63}$'),
    correlation_id uuid not null,
    causation_id uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    ended_at timestamptz,
    -- An intent is written once, however often its cause is handled.
    unique (tenant_id, about, template, occasion, user_id, channel, target_id),
    check ((status in ('pending', 'sending', 'unknown')) = (due_at is not null)),
    check ((status in ('sent', 'failed', 'suppressed')) = (ended_at is not null)),
    check ((status in ('sending', 'unknown')) = (address is not null)),
    check (address is null or called_at is not null)
);

-- What was sent about an alert or an appointment, and what is still open.
create index notifications_about on notifications (tenant_id, about);
create index notifications_due on notifications (channel, due_at) include (tenant_id, urgency) where due_at is not null;

alter table notifications enable row level security;
alter table notifications force row level security;

create policy tenant_isolation on notifications to notifications_app
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy owner_sees_when on notifications for select to notifications_owner using (true);

grant select, insert, update on notifications to notifications_app;

-- Tenants with something due on a channel, those with the most urgent first, then those that wait longest; last whoever comes next.
create function tenants_with_notifications(of_channel text, at timestamptz) returns table (tenant_id uuid, due_at timestamptz)
    language sql stable security definer
    set search_path = pg_catalog, public
as $$
    (select n.tenant_id, min(n.due_at)
     from public.notifications n
     where n.channel = of_channel and n.due_at <= at
     group by n.tenant_id
     order by min(array_position(array['critical', 'urgent', 'routine'], n.urgency)), 2)
    union all
    (select n.tenant_id, n.due_at
     from public.notifications n
     where n.channel = of_channel and n.due_at > at
     order by n.due_at limit 1)
$$;

revoke all on function tenants_with_notifications(text, timestamptz) from public;
grant execute on function tenants_with_notifications(text, timestamptz) to notifications_app;

create function notify_notifications() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    perform pg_notify('notifications_due', '');
    return null;
end
$$;

create trigger notifications_written after insert or update of urgency on notifications
    for each statement execute function notify_notifications();
