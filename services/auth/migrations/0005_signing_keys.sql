-- Keys that access tokens are signed with: the whole platform's, so without a tenant.

create table signing_keys (
    kid                text        primary key,
    public_key         bytea       not null check (octet_length(public_key) = 32),
    sealed_private_key bytea       not null,
    activates_at       timestamptz not null,
    created_at         timestamptz not null default now()
);

alter table signing_keys enable row level security;
alter table signing_keys force row level security;
create policy signing on signing_keys to auth_app using (true) with check (true);

grant select, insert, delete on signing_keys to auth_app;
