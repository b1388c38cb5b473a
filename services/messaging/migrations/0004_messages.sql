-- Messages, whose text is sealed, and the gapless feed of each conversation's changes.
-- sequence is the message's place in the conversation; sealed_sequence, the place of the change that sealed the present text, is a
-- part of the seal. sent_digest is a keyed hash of what was first sent, under the key of the version beside it: it tells a retry
-- from another message of the same id.
create table messages (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    conversation_id uuid not null,
    sequence bigint not null check (sequence > 0),
    revision int not null check (revision > 0),
    author_id uuid not null,
    author_role text not null check (author_role in ('PATIENT', 'THERAPIST')),
    sent_at timestamptz not null,
    edited_at timestamptz,
    deleted_at timestamptz,
    reply_to_id uuid,
    attachment_count int not null check (attachment_count between 0 and 100),
    sealed_sequence bigint not null check (sealed_sequence >= sequence),
    key_version int not null check (key_version > 0),
    nonce bytea,
    ciphertext bytea,
    sent_digest bytea not null check (length(sent_digest) = 32),
    sent_key_version int not null check (sent_key_version > 0),
    primary key (tenant_id, id),
    foreign key (tenant_id, conversation_id) references conversations (tenant_id, id),
    foreign key (tenant_id, reply_to_id) references messages (tenant_id, id),
    check ((ciphertext is null) = (deleted_at is not null)),
    check ((ciphertext is null) = (nonce is null)),
    check (length(nonce) = 12 and length(ciphertext) >= 16)
);
create unique index messages_by_place on messages (tenant_id, conversation_id, sequence);

create table conversation_changes (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    conversation_id uuid not null,
    sequence bigint not null check (sequence > 0),
    kind text not null check (kind in (
        'message-sent', 'message-edited', 'message-deleted', 'receipt', 'member-joined', 'member-left', 'closed')),
    at timestamptz not null,
    actor_id uuid not null,
    message_id uuid,
    member_id uuid,
    member_role text check (member_role in ('PATIENT', 'THERAPIST')),
    delivered_sequence bigint,
    read_sequence bigint,
    primary key (tenant_id, conversation_id, sequence),
    foreign key (tenant_id, conversation_id) references conversations (tenant_id, id),
    foreign key (tenant_id, message_id) references messages (tenant_id, id),
    check ((kind like 'message-%') = (message_id is not null)),
    check ((kind in ('receipt', 'member-joined', 'member-left')) = (member_id is not null)),
    check ((kind like 'member-%') = (member_role is not null)),
    check ((kind = 'receipt') = (delivered_sequence is not null and read_sequence is not null))
);

alter table messages enable row level security;
alter table messages force row level security;
create policy tenant_isolation on messages
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

alter table conversation_changes enable row level security;
alter table conversation_changes force row level security;
create policy tenant_isolation on conversation_changes
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on messages to messaging_app;
grant select, insert on conversation_changes to messaging_app;
