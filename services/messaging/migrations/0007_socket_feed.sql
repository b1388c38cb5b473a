-- What happened since a socket process last looked: each row names the transaction that wrote it, and a look takes those that may
-- not have been visible to the look before (from the oldest transaction then still running on). No clock is asked and nothing
-- that commits late is missed.
-- Numbers of transactions are the cluster's own: rows of a restored backup may hold larger ones than the cluster has reached, and
-- a look leaves out what it could not have seen happen.
alter table conversation_changes add column changed_in bigint not null default pg_current_xact_id()::text::bigint;
alter table conversation_members add column changed_in bigint not null default pg_current_xact_id()::text::bigint;
alter table alert_pushes add column changed_in bigint not null default pg_current_xact_id()::text::bigint;
alter table ended_sessions add column changed_in bigint not null default pg_current_xact_id()::text::bigint;
alter table people add column changed_in bigint not null default pg_current_xact_id()::text::bigint;

create index conversation_changes_by_transaction on conversation_changes (tenant_id, changed_in);
create index conversation_members_by_transaction on conversation_members (tenant_id, changed_in);
create index alert_pushes_by_transaction on alert_pushes (tenant_id, changed_in);
create index ended_sessions_by_transaction on ended_sessions (tenant_id, changed_in);
create index people_by_transaction on people (tenant_id, changed_in);

create function note_transaction() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    new.changed_in := pg_current_xact_id()::text::bigint;
    return new;
end
$$;

-- Only for what a look asks about: how far somebody has read changes often, and its row then touches no index.
create trigger conversation_members_changed before update of joined_at, left_at on conversation_members
    for each row execute function note_transaction();
create trigger alert_pushes_changed before update of revision on alert_pushes
    for each row execute function note_transaction();
create trigger people_changed before update of status on people
    for each row execute function note_transaction();
