#!/bin/bash
# Makes the shop's database at the first start, then serves it: by TLS alone, to the tables' owner and one role for each module.
set -euo pipefail
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
kept=/var/lib/postgresql/kept

# A certificate for this name, made anew at each start; its copy tells the shops whom to trust.
certificate() {
  local folder
  folder=$(mktemp -d)
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$HOSTNAME" \
    -addext "subjectAltName=DNS:$HOSTNAME" -addext basicConstraints=critical,CA:FALSE \
    -keyout "$folder/key.pem" -out "$folder/certificate.pem" 2>/dev/null
  mv "$folder"/* "$kept"
  install -m 0644 "$kept/certificate.pem" /var/lib/postgresql/authority/new.pem
  mv /var/lib/postgresql/authority/new.pem /var/lib/postgresql/authority/db.pem
  rmdir "$folder"
}

# The owner may make the modules' schemas in the one database; the others may do what he lets them.
roles() {
  psql -q -v ON_ERROR_STOP=1 -h "$kept/new" -d postgres <<'SQL'
\set owner `cat /run/secrets/owner_password`
\set inventory `cat /run/secrets/inventory_password`
\set user `cat /run/secrets/user_password`
CREATE ROLE emporium_owner LOGIN PASSWORD :'owner';
CREATE ROLE emporium_inventory LOGIN PASSWORD :'inventory';
CREATE ROLE emporium_user LOGIN PASSWORD :'user';
CREATE DATABASE emporium;
REVOKE ALL ON DATABASE emporium FROM PUBLIC;
GRANT CONNECT, CREATE ON DATABASE emporium TO emporium_owner;
GRANT CONNECT ON DATABASE emporium TO emporium_inventory, emporium_user;
SQL
}

# Beside its place, and put there when it is whole: an attempt that was cut short leaves nothing behind.
make() {
  rm -rf "$kept/new"
  initdb -D "$kept/new" --auth=peer --encoding=UTF8 --locale=C.UTF-8 --data-checksums >/dev/null
  cat >"$kept/new/pg_hba.conf" <<'RULES'
local   all       postgres                                peer
hostssl emporium  emporium_owner,emporium_inventory,emporium_user  all  scram-sha-256
RULES
  pg_ctl -D "$kept/new" -w -s -o "-c listen_addresses= -c unix_socket_directories=$kept/new" start
  roles
  pg_ctl -D "$kept/new" -w -s -m fast stop
  mv "$kept/new" "$kept/data"
}

certificate
[ -e "$kept/data" ] || make
exec postgres -D "$kept/data" -c listen_addresses='*' -c unix_socket_directories=/tmp \
  -c ssl=on -c ssl_cert_file="$kept/certificate.pem" -c ssl_key_file="$kept/key.pem" -c ssl_min_protocol_version=TLSv1.2
