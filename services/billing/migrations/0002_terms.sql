-- Terms of a tenant: prices and policies are added, never rewritten, so that a late event is billed as it would have been in time.

-- One row per tenant: whoever bills reads it `for share`, whoever changes the terms takes it `for update`.
create table terms (
    tenant_id uuid primary key default nullif(current_setting('app.tenant_id', true), '')::uuid,
    prices_revision int not null default 0 check (prices_revision >= 0),
    policy_revision int not null default 0 check (policy_revision >= 0),
    created_at timestamptz not null default now()
);

create table prices (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid references terms,
    visit_type text not null check (visit_type in ('initial', 'standard', 'extended')),
    revision int not null check (revision > 0),
    currency char(3) not null check (currency ~ '^[A-Z]{3}$'),
    net_minor bigint not null check (net_minor between 0 and 1000000000000),
    tax_basis_points int not null check (tax_basis_points between 0 and 10000),
    valid_from timestamptz not null,
    set_by uuid not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, visit_type, revision)
);

create table policies (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid references terms,
    revision int not null check (revision > 0),
    valid_from timestamptz not null,
    late_window_hours int not null check (late_window_hours between 0 and 336),
    late_percent int not null check (late_percent between 0 and 100),
    no_show_percent int not null check (no_show_percent between 0 and 100),
    payment_term_days int not null check (payment_term_days between 0 and 365),
    issuer_name text not null check (issuer_name <> ''),
    set_by uuid not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, revision)
);

alter table terms enable row level security;
alter table terms force row level security;
alter table prices enable row level security;
alter table prices force row level security;
alter table policies enable row level security;
alter table policies force row level security;

create policy tenant_isolation on terms
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on prices
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on policies
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on terms to billing_app;
grant select, insert on prices, policies to billing_app;
