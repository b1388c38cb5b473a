-- What the model said about each message, and the messages that wait until their key can be had.

-- One row per message, of its newest revision. A deleted message keeps its row without what was found in it; one that nobody
-- can read or score says why.
create table analyses (
    id                 uuid             not null,
    tenant_id          uuid             not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    message_id         uuid             not null,
    conversation_id    uuid             not null,
    patient_id         uuid             not null,
    author_id          uuid             not null,
    author_role        text             not null,
    sequence           bigint           not null check (sequence > 0),
    revision           int              not null check (revision > 0),
    state              text             not null check (state in ('scored', 'withdrawn', 'unreadable')),
    reason             text             check (reason ~ '^[a-z]+(-[a-z]+)*$'),
    label              text,
    anxiety            double precision check (anxiety between 0 and 1),
    bipolar            double precision check (bipolar between 0 and 1),
    depression         double precision check (depression between 0 and 1),
    normal             double precision check (normal between 0 and 1),
    personality_disorder double precision check (personality_disorder between 0 and 1),
    stress             double precision check (stress between 0 and 1),
    suicidal           double precision check (suicidal between 0 and 1),
    level              text             check (level in ('low', 'moderate', 'high', 'critical')),
    windows            int              check (windows > 0),
    model_name         text,
    model_version      text,
    model_seal         text,
    model_hash         text,
    tokenizer_hash     text,
    threshold_moderate double precision,
    threshold_high     double precision,
    threshold_critical double precision,
    model_milliseconds double precision,
    changed_at         timestamptz      not null,
    received_at        timestamptz      not null,
    finished_at        timestamptz      not null,
    created_at         timestamptz      not null default now(),
    primary key (tenant_id, message_id),
    unique (tenant_id, id),
    check (num_nulls(label, anxiety, bipolar, depression, normal, personality_disorder, stress, suicidal, level, windows, model_name,
                     model_version, model_seal, model_hash, tokenizer_hash, threshold_moderate, threshold_high, threshold_critical,
                     model_milliseconds) = case state when 'scored' then 0 else 19 end),
    check ((state = 'unreadable') = (reason is not null))
);

create index analyses_of_a_conversation on analyses (tenant_id, conversation_id, sequence desc);

-- A message as it came from Kafka, still sealed, with where it lay there: it is scored, or parked, as if it had just been read.
create table waiting_messages (
    tenant_id       uuid        not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    event_id        uuid        not null,
    conversation_id uuid        not null,
    headers         text        not null,
    payload         bytea       not null,
    partition       int         not null,
    read_offset     bigint      not null,
    received_at     timestamptz not null,
    attempts        int         not null default 0 check (attempts >= 0),
    next_try_at     timestamptz not null,
    primary key (tenant_id, event_id)
);

create index waiting_messages_by_next_try on waiting_messages (next_try_at);

alter table analyses enable row level security;
alter table analyses force row level security;
alter table waiting_messages enable row level security;
alter table waiting_messages force row level security;

create policy tenant_isolation on analyses
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
create policy tenant_isolation on waiting_messages
    using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

grant select, insert, update on analyses to ml_scoring_app;
grant select, insert, update, delete on waiting_messages to ml_scoring_app;

-- The worker looks after waiting messages of all tenants and may see no more of them than this: whose turn it is, and figures.
create policy turns_are_seen on waiting_messages for select to ml_scoring_owner using (true);

create function waiting_tenants(until timestamptz) returns table (tenant_id uuid)
    language sql stable security definer set search_path = pg_catalog, public
as $$
    select w.tenant_id from waiting_messages w where w.next_try_at <= until group by w.tenant_id order by min(w.next_try_at)
$$;

create function waiting_figures() returns table (waiting bigint, oldest timestamptz, next_try timestamptz)
    language sql stable security definer set search_path = pg_catalog, public
as $$
    select count(*), min(w.received_at), min(w.next_try_at) from waiting_messages w
$$;

revoke execute on function waiting_tenants(timestamptz), waiting_figures() from public;
grant execute on function waiting_tenants(timestamptz), waiting_figures() to ml_scoring_app;
