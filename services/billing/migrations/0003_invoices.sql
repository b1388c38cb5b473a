-- Visits as their newest event tells them, the invoices they lead to, credit notes and payments.

create table visits (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    appointment_id uuid not null,
    revision int not null check (revision > 0),
    patient_id uuid not null,
    therapist_id uuid not null,
    visit_type text not null check (visit_type in ('initial', 'standard', 'extended')),
    starts_at timestamptz not null,
    outcome text not null check (outcome in ('ahead', 'completed', 'missed', 'cancelled_by_patient',
                                                           'cancelled_by_practice', 'corrected_to_missed', 'corrected_to_cancelled')),
    decided_at timestamptz,
    -- Every event once, late ones too: more than were published means that one was handled twice.
    events_handled int not null default 1 check (events_handled > 0),
    updated_at timestamptz not null,
    primary key (tenant_id, appointment_id),
    check ((outcome = 'ahead') = (decided_at is null))
);

-- The last number of each series; locked in the transaction that uses it, so that a rollback gives the number back.
create table number_series (
    tenant_id uuid primary key default nullif(current_setting('app.tenant_id', true), '')::uuid,
    last_invoice bigint not null default 0 check (last_invoice >= 0),
    last_credit_note bigint not null default 0 check (last_credit_note >= 0)
);

create table invoices (
    id uuid primary key,
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    appointment_id uuid not null,
    sequence int not null check (sequence > 0),
    patient_id uuid not null,
    therapist_id uuid not null,
    status text not null check (status in ('unpriced', 'draft', 'open', 'paid', 'void', 'credited', 'discarded')),
    revision int not null check (revision > 0),
    currency char(3) check (currency ~ '^[A-Z]{3}$'),
    net_minor bigint check (net_minor >= 0),
    tax_minor bigint check (tax_minor >= 0),
    total_minor bigint generated always as (net_minor + tax_minor) stored,
    number text,
    issuer_name text,
    issued_at timestamptz,
    due_on date,
    paid_at timestamptz,
    ended_at timestamptz,
    void_reason text check (void_reason in ('issued_in_error', 'waived', 'disputed')),
    created_at timestamptz not null,
    updated_at timestamptz not null default now(),
    unique (tenant_id, id),
    unique (tenant_id, appointment_id, sequence),
    unique (tenant_id, number),
    foreign key (tenant_id, appointment_id) references visits,
    check (num_nulls(currency, net_minor, tax_minor) in (0, 3)),
    check (num_nulls(number, issuer_name, issued_at, due_on) in (0, 4)),
    check (status not in ('draft', 'open', 'paid', 'void', 'credited') or currency is not null),
    check (status <> 'unpriced' or currency is null),
    check (status not in ('open', 'paid', 'credited') or number is not null),
    check (status not in ('unpriced', 'draft', 'discarded') or number is null),
    check (status <> 'paid' or paid_at is not null),
    check ((status in ('void', 'credited', 'discarded')) = (ended_at is not null)),
    check ((status = 'void') = (void_reason is not null))
);

-- Whatever is redelivered, reordered or killed: a visit has at most one invoice that asks for money.
create unique index one_live_invoice_per_visit on invoices (tenant_id, appointment_id)
    where status in ('unpriced', 'draft', 'open', 'paid');
create index invoices_of_a_patient on invoices (tenant_id, patient_id, id desc);
create index invoices_by_issue on invoices (tenant_id, issued_at) where issued_at is not null;
create index invoices_not_issued on invoices (tenant_id, appointment_id) where status in ('unpriced', 'draft');

create table invoice_lines (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    invoice_id uuid not null,
    position int not null check (position > 0),
    kind text not null check (kind in ('visit', 'late_cancellation', 'no_show')),
    visit_type text not null check (visit_type in ('initial', 'standard', 'extended')),
    visit_starts_at timestamptz not null,
    price_minor bigint not null check (price_minor >= 0),
    percent int not null check (percent between 0 and 100),
    tax_basis_points int not null check (tax_basis_points between 0 and 10000),
    currency char(3) not null check (currency ~ '^[A-Z]{3}$'),
    net_minor bigint not null check (net_minor >= 0),
    tax_minor bigint not null check (tax_minor >= 0),
    primary key (invoice_id, position),
    foreign key (tenant_id, invoice_id) references invoices (tenant_id, id)
);

create table credit_notes (
    id uuid primary key,
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    invoice_id uuid not null unique,
    number text not null,
    currency char(3) not null check (currency ~ '^[A-Z]{3}$'),
    net_minor bigint not null check (net_minor >= 0),
    tax_minor bigint not null check (tax_minor >= 0),
    issued_at timestamptz not null,
    unique (tenant_id, number),
    foreign key (tenant_id, invoice_id) references invoices (tenant_id, id)
);

create table payments (
    id uuid primary key,
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    invoice_id uuid not null unique,
    amount_minor bigint not null check (amount_minor > 0),
    currency char(3) not null check (currency ~ '^[A-Z]{3}$'),
    method text not null check (method in ('bank_transfer', 'card', 'cash')),
    recorded_by uuid not null,
    recorded_at timestamptz not null,
    foreign key (tenant_id, invoice_id) references invoices (tenant_id, id)
);

create function refuse_to_rewrite_an_invoice() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if old.status in ('void', 'credited', 'discarded') then
        raise exception 'a finished invoice does not change' using errcode = 'integrity_constraint_violation';
    end if;
    if old.number is not null and (old.number, old.currency, old.net_minor, old.tax_minor, old.issued_at, old.due_on, old.issuer_name)
       is distinct from (new.number, new.currency, new.net_minor, new.tax_minor, new.issued_at, new.due_on, new.issuer_name) then
        raise exception 'an issued invoice keeps its number and amounts' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end
$$;

create trigger invoices_are_not_rewritten before update on invoices
    for each row execute function refuse_to_rewrite_an_invoice();

-- Checked at commit, because an invoice and its lines are written one after the other.
create function check_lines_add_up() returns trigger
    language plpgsql
    set search_path = pg_catalog, public
as $$
declare
    subject uuid := case when tg_table_name = 'invoices' then to_jsonb(new) ->> 'id' else to_jsonb(coalesce(new, old)) ->> 'invoice_id' end;
begin
    if exists (
        select from invoices i
        left join lateral (
            select sum(l.net_minor) as net, sum(l.tax_minor) as tax, bool_and(l.currency = i.currency) as one_currency
            from invoice_lines l where l.invoice_id = i.id
        ) lines on true
        where i.id = subject
          and ((lines.net, lines.tax) is distinct from (i.net_minor::numeric, i.tax_minor::numeric) or not coalesce(lines.one_currency, true))
    ) then
        raise exception 'the lines of an invoice do not add up to its amounts' using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end
$$;

create constraint trigger invoices_add_up after insert or update on invoices
    deferrable initially deferred for each row execute function check_lines_add_up();
create constraint trigger lines_add_up after insert or update or delete on invoice_lines
    deferrable initially deferred for each row execute function check_lines_add_up();

alter table visits enable row level security;
alter table visits force row level security;
alter table number_series enable row level security;
alter table number_series force row level security;
alter table invoices enable row level security;
alter table invoices force row level security;
alter table invoice_lines enable row level security;
alter table invoice_lines force row level security;
alter table credit_notes enable row level security;
alter table credit_notes force row level security;
alter table payments enable row level security;
alter table payments force row level security;

create policy tenant_isolation on visits
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on number_series
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on invoices
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on invoice_lines
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on credit_notes
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on payments
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on visits, number_series, invoices to billing_app;
grant select, insert, delete on invoice_lines to billing_app;
grant select, insert on credit_notes, payments to billing_app;
