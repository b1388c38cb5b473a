-- Organisations, the people in them and how they sign in.

create table tenants (
    id         uuid        primary key,
    slug       text        not null unique check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    name       text        not null check (char_length(name) between 1 and 200),
    created_at timestamptz not null
);

alter table tenants enable row level security;
alter table tenants force row level security;

-- Who knows the short name may look it up; nobody can list the others.
create policy tenant_lookup on tenants for select to auth_app
    using (slug = nullif(current_setting('app.tenant_slug', true), '')
           or id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_administration on tenants to auth_owner using (true) with check (true);

grant select on tenants to auth_app;

create table users (
    tenant_id    uuid        not null references tenants (id),
    id           uuid        not null primary key,
    email        text        not null check (email = lower(email) and char_length(email) between 3 and 254),
    role         text        not null check (role in ('PATIENT', 'THERAPIST', 'ADMINISTRATOR')),
    status       text        not null check (status in ('active', 'pending_verification', 'suspended')),
    display_name text        check (char_length(display_name) between 1 and 200),
    locale       text        check (char_length(locale) <= 35),
    time_zone    text        check (char_length(time_zone) <= 64),
    verified_at  timestamptz,
    created_at   timestamptz not null,
    revision     integer     not null check (revision >= 1),
    unique (tenant_id, email),
    unique (tenant_id, id),
    check (status <> 'pending_verification' or role = 'THERAPIST')
);

create index users_newest_first on users (tenant_id, created_at desc, id desc);

alter table users enable row level security;
alter table users force row level security;
create policy tenant_isolation on users
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on users to auth_app;

-- One row per way to sign in: a password, or later an identity at another provider.
create table accounts (
    tenant_id        uuid        not null,
    id               uuid        not null primary key,
    user_id          uuid        not null,
    provider         text        not null check (provider ~ '^[a-z][a-z0-9-]{0,30}$'),
    provider_subject text,
    password_hash    text,
    created_at       timestamptz not null,
    updated_at       timestamptz not null,
    foreign key (tenant_id, user_id) references users (tenant_id, id),
    unique (tenant_id, user_id, provider),
    unique (tenant_id, provider, provider_subject),
    check ((provider = 'password') = (password_hash is not null)),
    check ((provider = 'password') = (provider_subject is null))
);

alter table accounts enable row level security;
alter table accounts force row level security;
create policy tenant_isolation on accounts
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on accounts to auth_app;

-- Second factors, for the sign-in that will ask for one; the secret is under the master key.
create table two_factors (
    tenant_id     uuid        not null,
    id            uuid        not null primary key,
    user_id       uuid        not null,
    method        text        not null check (method in ('totp')),
    sealed_secret bytea       not null,
    last_used_step bigint,
    confirmed_at  timestamptz,
    created_at    timestamptz not null,
    foreign key (tenant_id, user_id) references users (tenant_id, id),
    unique (tenant_id, user_id, method)
);

alter table two_factors enable row level security;
alter table two_factors force row level security;
create policy tenant_isolation on two_factors
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update, delete on two_factors to auth_app;
