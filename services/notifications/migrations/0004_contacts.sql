-- Whom to reach and how: what auth says about people, what they want, their phones and their browsers.

-- Filled from auth's answer, which is asked for whenever an event says that there is something new: `ask_at` is when to ask next.
create table contacts (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    user_id uuid not null,
    email text check (char_length(email) between 3 and 254),
    locale text check (char_length(locale) <= 35),
    time_zone text check (char_length(time_zone) <= 64),
    revision int not null default 0 check (revision >= 0),
    -- When an event last said that there is something new.
    heard_at timestamptz not null,
    ask_at timestamptz,
    asks int not null default 0 check (asks >= 0),
    updated_at timestamptz not null,
    primary key (tenant_id, user_id)
);

create index contacts_to_ask_for on contacts (ask_at) where ask_at is not null;

-- What somebody wants to be told, as kind and channel; who has no row wants what the domain takes as usual.
create table preferences (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    user_id uuid not null,
    revision int not null check (revision > 0),
    wanted text[] not null check (wanted <@ array['appointments.email', 'appointments.sms', 'appointments.push',
                                                 'reminders.email', 'reminders.sms', 'reminders.push']),
    -- Minutes of the day on the wall clock of the zone; from 1320 until 420 is from ten in the evening until seven.
    quiet_from int check (quiet_from between 0 and 1439),
    quiet_until int check (quiet_until between 0 and 1439),
    quiet_time_zone text check (char_length(quiet_time_zone) <= 64),
    updated_at timestamptz not null,
    primary key (tenant_id, user_id),
    check ((quiet_from is null) = (quiet_until is null)),
    check (quiet_from <> quiet_until),
    check (quiet_time_zone is null or quiet_from is not null)
);

create table phones (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    user_id uuid not null,
    number text not null check (number ~ '^\+[1-9][0-9]{6,14}$'),
    updated_at timestamptz not null,
    primary key (tenant_id, user_id)
);

-- One row per browser; an endpoint belongs to whoever signed in there last.
create table push_subscriptions (
    id uuid primary key,
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    user_id uuid not null,
    endpoint text not null check (char_length(endpoint) between 10 and 1000),
    p256dh text not null check (char_length(p256dh) <= 100),
    auth text not null check (char_length(auth) <= 40),
    created_at timestamptz not null,
    unique (tenant_id, endpoint)
);

create index push_subscriptions_of_user on push_subscriptions (tenant_id, user_id, created_at);

alter table contacts enable row level security;
alter table contacts force row level security;
alter table preferences enable row level security;
alter table preferences force row level security;
alter table phones enable row level security;
alter table phones force row level security;
alter table push_subscriptions enable row level security;
alter table push_subscriptions force row level security;

create policy tenant_isolation on contacts to notifications_app
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on preferences to notifications_app
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on phones to notifications_app
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on push_subscriptions to notifications_app
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on contacts, preferences to notifications_app;
grant select, insert, update, delete on phones, push_subscriptions to notifications_app;

-- The worker's loops serve all tenants: this tells them whose turn it is, and nothing about anybody.
create policy owner_sees_when on contacts for select to notifications_owner using (true);

create function tenants_with_contacts_to_ask_for(at timestamptz) returns table (tenant_id uuid, due_at timestamptz)
    language sql stable security definer
    set search_path = pg_catalog, public
as $$
    (select t.tenant_id, min(t.ask_at) from public.contacts t where t.ask_at <= at group by t.tenant_id order by 2)
    union all
    (select t.tenant_id, t.ask_at from public.contacts t where t.ask_at > at order by t.ask_at limit 1)
$$;

revoke all on function tenants_with_contacts_to_ask_for(timestamptz) from public;
grant execute on function tenants_with_contacts_to_ask_for(timestamptz) to notifications_app;

create function notify_contacts() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    perform pg_notify('contacts_to_ask_for', '');
    return null;
end
$$;

-- Not when auth's answer is kept, which only ever puts the next question off.
create trigger contacts_heard_of after insert or update of heard_at on contacts
    for each statement execute function notify_contacts();
