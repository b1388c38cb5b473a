-- Alerts that the whole chain has been called to and nobody answered, over all tenants: levels and numbers alone.

create function count_unanswered_alerts()
    returns table (level text, alerts bigint)
    language sql stable security definer
    set search_path = pg_catalog, public
as $$
    select a.level, count(*) from public.alerts a where a.status = 'calling' and a.lap > 1 group by a.level
$$;

revoke all on function count_unanswered_alerts() from public;
grant execute on function count_unanswered_alerts() to notifications_app;
