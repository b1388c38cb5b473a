-- One service's roles and database, made by a superuser with psql; run again, it changes nothing but the passwords.
-- Variables: service, database, template, owner_password, app_password, relay_password. The local stack and compose both run it.
select :'service' || '_owner' as owner, :'service' || '_app' as app, :'service' || '_relay' as relay \gset

-- Row security binds all three: none of them is a superuser and none may bypass it.
select format('create role %I login nosuperuser nocreatedb nocreaterole nobypassrls', name)
from unnest(array[:'owner', :'app', :'relay']) as name
where not exists (select from pg_roles where rolname = name) \gexec
alter role :"owner" password :'owner_password';
alter role :"app" password :'app_password';
alter role :"relay" password :'relay_password';

select format('create database %I owner %I template %I', :'database', :'owner', :'template')
where not exists (select from pg_database where datname = :'database') \gexec

revoke all on database :"database" from public;
grant connect on database :"database" to :"app", :"relay";
grant connect, create on database :"database" to :"owner";

\connect :"database"
alter schema public owner to :"owner";
revoke all on schema public from public;
grant usage on schema public to :"app", :"relay";
create extension if not exists btree_gist;
