#!/bin/bash
# Run once by the PostgreSQL image on an empty data folder: a database and three roles for each service, named like its package.
set -euo pipefail
for service in auth appointments billing messaging ml_scoring notifications analytics; do
  name=${service^^}
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<SQL
\set service $service
\set database bloom_$service
\set template template0
\getenv owner_password BLOOM_${name}_OWNER_PASSWORD
\getenv app_password BLOOM_${name}_APP_PASSWORD
\getenv relay_password BLOOM_${name}_RELAY_PASSWORD
\i ${PROVISION:-/provision.sql}
SQL
done
