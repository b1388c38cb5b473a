-- Conversations, who takes part in them, and the wrapped keys that seal their text.
-- member_ids and therapist_ids repeat the open rows of conversation_members: whoever takes the next number of a conversation holds
-- its row, and has to see in that very row who takes part at this moment.
create table conversations (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    kind text not null check (kind in ('direct', 'care_team')),
    patient_id uuid not null,
    therapist_id uuid,
    opened_by uuid not null,
    opened_at timestamptz not null,
    member_ids uuid[] not null check (cardinality(member_ids) <= 50),
    therapist_ids uuid[] not null check (therapist_ids <@ member_ids),
    last_sequence bigint not null check (last_sequence >= 0),
    last_change_at timestamptz not null,
    last_message_at timestamptz,
    key_version int not null check (key_version > 0),
    keys_destroyed_at timestamptz,
    primary key (tenant_id, id),
    check ((kind = 'direct') = (therapist_id is not null))
) with (fillfactor = 70);
-- Every message changes the row, and no index holds what it changes: with room in the page that touches no index at all.
create unique index conversations_one_per_pair on conversations (tenant_id, patient_id, therapist_id)
    where kind = 'direct' and keys_destroyed_at is null;
create index conversations_by_patient on conversations (tenant_id, patient_id, id);

create table conversation_members (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    conversation_id uuid not null,
    user_id uuid not null,
    role text not null check (role in ('PATIENT', 'THERAPIST')),
    joined_at timestamptz not null,
    left_at timestamptz,
    delivered_sequence bigint not null check (delivered_sequence >= 0),
    read_sequence bigint not null check (read_sequence >= 0),
    primary key (tenant_id, conversation_id, user_id),
    foreign key (tenant_id, conversation_id) references conversations (tenant_id, id),
    check (read_sequence <= delivered_sequence)
) with (fillfactor = 70);
create index conversation_members_by_user on conversation_members (tenant_id, user_id, conversation_id) where left_at is null;

-- kek_id names the key-encryption key that wraps the data key; a destroyed key leaves its version and nothing else.
create table conversation_keys (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    conversation_id uuid not null,
    version int not null check (version > 0),
    kek_id text not null check (length(kek_id) between 1 and 500),
    wrapped_key bytea,
    created_at timestamptz not null,
    destroyed_at timestamptz,
    primary key (tenant_id, conversation_id, version),
    foreign key (tenant_id, conversation_id) references conversations (tenant_id, id),
    check ((wrapped_key is null) = (destroyed_at is not null))
);

alter table conversations enable row level security;
alter table conversations force row level security;
create policy tenant_isolation on conversations
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table conversation_members enable row level security;
alter table conversation_members force row level security;
create policy tenant_isolation on conversation_members
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table conversation_keys enable row level security;
alter table conversation_keys force row level security;
create policy tenant_isolation on conversation_keys
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on conversations, conversation_members to messaging_app;
grant select, insert, update (wrapped_key, destroyed_at) on conversation_keys to messaging_app;
-- The command that wraps data keys anew goes through all tenants, so it runs under the role that sees the outbox of all of them.
create policy keeper_sees_all on conversation_keys to messaging_relay using (true) with check (true);
grant select, update (kek_id, wrapped_key) on conversation_keys to messaging_relay;
