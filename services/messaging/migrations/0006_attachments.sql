-- Files that belong to messages. Their content lies in the object store; their name is sealed under the conversation's key, as the
-- text of a message is, with the id of the attachment and place 0 in the seal.
-- pending: announced; uploaded: its content was found to be as announced; attached: part of a message; discarded: to be removed.
create table attachments (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    conversation_id uuid not null,
    uploader_id uuid not null,
    content_type text not null check (length(content_type) between 3 and 100),
    size_bytes bigint not null check (size_bytes > 0),
    sha256 bytea not null check (length(sha256) = 32),
    key_version int not null check (key_version > 0),
    name_nonce bytea not null check (length(name_nonce) = 12),
    name_ciphertext bytea not null check (length(name_ciphertext) > 16),
    state text not null check (state in ('pending', 'uploaded', 'attached', 'discarded')),
    requested_at timestamptz not null,
    message_id uuid,
    position int check (position >= 0),
    primary key (tenant_id, id),
    foreign key (tenant_id, conversation_id) references conversations (tenant_id, id),
    foreign key (tenant_id, message_id) references messages (tenant_id, id),
    check ((state = 'attached') = (message_id is not null)),
    check ((message_id is null) = (position is null))
);
create index attachments_by_message on attachments (tenant_id, message_id, position) where message_id is not null;
create index attachments_unsent on attachments (tenant_id, uploader_id) where state in ('pending', 'uploaded');
create index attachments_by_conversation on attachments (tenant_id, conversation_id);
create index attachments_to_remove on attachments (requested_at) where state <> 'attached';

alter table attachments enable row level security;
alter table attachments force row level security;
create policy tenant_isolation on attachments
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
-- Housekeeping beside the relay removes the files of all tenants that nobody can reach any more.
create policy housekeeping_sees_all on attachments to messaging_relay using (true) with check (state = 'discarded');

grant select, insert, update (state, message_id, position) on attachments to messaging_app;
grant select (tenant_id, id, conversation_id, state, requested_at), update (state), delete on attachments to messaging_relay;
