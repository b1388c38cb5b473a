-- Signed-in devices, and the administrators' invitations to therapists.

create table sessions (
    tenant_id       uuid        not null,
    id              uuid        not null primary key,
    user_id         uuid        not null,
    seed            bytea       not null check (octet_length(seed) = 32),
    generation      integer     not null check (generation >= 1),
    started_at      timestamptz not null,
    rotated_at      timestamptz not null,
    expires_at      timestamptz not null,
    ends_at         timestamptz not null,
    revoked_at      timestamptz,
    revoked_because text check (revoked_because in
        ('signed_out', 'signed_out_everywhere', 'reuse_detected', 'suspended', 'password_changed')),
    foreign key (tenant_id, user_id) references users (tenant_id, id),
    check (expires_at <= ends_at),
    check ((revoked_at is null) = (revoked_because is null))
);

create index sessions_unrevoked_of_user on sessions (tenant_id, user_id) where revoked_at is null;
create index sessions_unrevoked_by_expiry on sessions (tenant_id, expires_at) where revoked_at is null;

alter table sessions enable row level security;
alter table sessions force row level security;
create policy tenant_isolation on sessions
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on sessions to auth_app;

create table invitations (
    tenant_id   uuid        not null,
    id          uuid        not null primary key,
    email       text        not null check (email = lower(email) and char_length(email) between 3 and 254),
    invited_by  uuid        not null,
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    accepted_at timestamptz,
    accepted_by uuid,
    foreign key (tenant_id, invited_by) references users (tenant_id, id),
    foreign key (tenant_id, accepted_by) references users (tenant_id, id),
    check ((accepted_at is null) = (accepted_by is null))
);

alter table invitations enable row level security;
alter table invitations force row level security;
create policy tenant_isolation on invitations
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on invitations to auth_app;
