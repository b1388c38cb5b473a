-- The double-entry journal: written once, never changed, and balanced by the database's own check at every commit.

create table journal_transactions (
    id uuid primary key,
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    invoice_id uuid not null,
    kind text not null check (kind in ('issued', 'paid', 'voided', 'credited')),
    currency char(3) not null check (currency ~ '^[A-Z]{3}$'),
    posted_at timestamptz not null,
    -- The database transaction that posted it: later ones may not add entries.
    posted_in xid8 not null default pg_current_xact_id(),
    unique (tenant_id, id),
    unique (tenant_id, invoice_id, kind),
    foreign key (tenant_id, invoice_id) references invoices (tenant_id, id)
);

create table journal_entries (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    transaction_id uuid not null,
    position int not null check (position > 0),
    account text not null check (account in ('accounts_receivable', 'revenue', 'tax_payable', 'cash', 'customer_credits')),
    side text not null check (side in ('debit', 'credit')),
    amount_minor bigint not null check (amount_minor > 0),
    primary key (transaction_id, position),
    foreign key (tenant_id, transaction_id) references journal_transactions (tenant_id, id)
);

create function check_posting_balances() returns trigger
    language plpgsql
    set search_path = pg_catalog, public
as $$
declare
    subject uuid := to_jsonb(new) ->> case when tg_table_name = 'journal_entries' then 'transaction_id' else 'id' end;
    difference numeric;
begin
    select sum(case side when 'debit' then amount_minor else -amount_minor end) into difference
    from journal_entries where transaction_id = subject;
    if difference is distinct from 0 then
        raise exception 'debits and credits of a posting are not equal' using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end
$$;

create constraint trigger posting_balances after insert on journal_transactions
    deferrable initially deferred for each row execute function check_posting_balances();
create constraint trigger entry_balances after insert on journal_entries
    deferrable initially deferred for each row execute function check_posting_balances();

create function refuse_entries_of_an_old_posting() returns trigger
    language plpgsql
    set search_path = pg_catalog, public
as $$
begin
    if not exists (select from journal_transactions where id = new.transaction_id and posted_in = pg_current_xact_id()) then
        raise exception 'a posting takes no entries after its own transaction' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end
$$;

create trigger entries_come_with_their_posting before insert on journal_entries
    for each row execute function refuse_entries_of_an_old_posting();

create function refuse_to_change_the_journal() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    raise exception 'the journal is never changed, only added to' using errcode = 'integrity_constraint_violation';
end
$$;

create trigger journal_transactions_are_immutable before update or delete or truncate on journal_transactions
    for each statement execute function refuse_to_change_the_journal();
create trigger journal_entries_are_immutable before update or delete or truncate on journal_entries
    for each statement execute function refuse_to_change_the_journal();

alter table journal_transactions enable row level security;
alter table journal_transactions force row level security;
alter table journal_entries enable row level security;
alter table journal_entries force row level security;

create policy tenant_isolation on journal_transactions
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on journal_entries
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert on journal_transactions, journal_entries to billing_app;
