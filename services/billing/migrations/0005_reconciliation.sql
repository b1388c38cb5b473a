-- What the books of all tenants should agree on and do not, as numbers alone: nothing of it names a visit, a person or an amount.

-- The function runs as the owner, whom row security binds too but for these policies.
create policy books_are_compared on visits for select to billing_owner using (true);
create policy books_are_compared on invoices for select to billing_owner using (true);
create policy books_are_compared on journal_transactions for select to billing_owner using (true);
create policy books_are_compared on journal_entries for select to billing_owner using (true);

create function reconcile_invoices()
    returns table (finding text, invoices bigint)
    language sql stable security definer
    set search_path = pg_catalog, public
as $$
    -- A visit that took place is asked for, waits for its price, or was waived by an administrator; a draft or nothing is money lost.
    select 'completed_without_invoice', count(*) from public.visits v
    where v.outcome = 'completed' and not exists (
        select from public.invoices i
        where i.tenant_id = v.tenant_id and i.appointment_id = v.appointment_id and i.status in ('unpriced', 'open', 'paid', 'void'))
    union all
    select 'waits_for_price', count(*) from public.invoices i
    join public.visits v on v.tenant_id = i.tenant_id and v.appointment_id = i.appointment_id
    where i.status = 'unpriced' and v.outcome = 'completed'
    union all
    -- What an invoice still asks for is what its postings leave on the patient's account: all of it while open, else nothing.
    select 'differs_from_journal', count(*) from (
        select i.id
        from public.invoices i
        left join public.journal_transactions t on t.tenant_id = i.tenant_id and t.invoice_id = i.id
        left join public.journal_entries e on e.transaction_id = t.id and e.account = 'accounts_receivable'
        group by i.id, i.status, i.total_minor
        having coalesce(sum(case e.side when 'debit' then e.amount_minor when 'credit' then -e.amount_minor end), 0)
            <> case i.status when 'open' then i.total_minor else 0 end
    ) differing
$$;

revoke all on function reconcile_invoices() from public;
grant execute on function reconcile_invoices() to billing_app;
