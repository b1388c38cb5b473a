-- Which transaction told or moved a window last. Who follows the windows asks for those of all transactions that may not have
-- been finished when he asked before: nothing is missed, however long a transaction takes, and little comes twice.
alter table windows add column told_in xid8;
alter table closed_windows add column told_in xid8;
create index windows_told on windows (tenant_id, told_in) where told_in is not null;
create index closed_windows_told on closed_windows (tenant_id, told_in) where told_in is not null;

create function mark_told() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    new.told_in := pg_current_xact_id();
    return new;
end
$$;

-- Only statements that name the revision are looked at: those that add events to windows cost nothing.
create trigger windows_told before update of revision on windows
    for each row when (new.revision <> old.revision) execute function mark_told();
create trigger closed_windows_corrected before update of revision on closed_windows
    for each row when (new.revision <> old.revision) execute function mark_told();
create trigger closed_windows_moved before insert on closed_windows
    for each row execute function mark_told();

create function notify_told() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    perform pg_notify('windows_told', '');
    return null;
end
$$;

create trigger windows_told_notified after update of revision on windows
    for each statement execute function notify_told();
create trigger closed_windows_told_notified after update of revision on closed_windows
    for each statement execute function notify_told();
