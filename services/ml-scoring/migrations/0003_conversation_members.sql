-- Who takes part in which conversation now, as messaging tells it: therapists see the analyses of their own conversations.

create table conversation_members (
    tenant_id       uuid        not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    conversation_id uuid        not null,
    member_id       uuid        not null,
    member_role     text        not null,
    is_member       boolean     not null,
    changed_at      timestamptz not null,
    primary key (tenant_id, conversation_id, member_id)
);

alter table conversation_members enable row level security;
alter table conversation_members force row level security;

create policy tenant_isolation on conversation_members
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on conversation_members to ml_scoring_app;
