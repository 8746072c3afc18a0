#!/usr/bin/env bash
# How fast the shop is beside what it could be at most: a bare actix handler that answers with the same bytes, and pgbench running
# the same statements. Everything on this machine, in one run, in turns, so that the ratios hold when the machine's speed drifts.
#
#   scripts/bench.sh [SECONDS [ROUNDS [CONNECTIONS]]]      default: 5 3 16
#   scripts/bench.sh overload [SECONDS [ROUNDS]]           default: 3 7
#
# `overload` sends more than the shop can serve, whether or not it answers: a half of what it can, as much, 2, 5 and 10 times as much,
# for so many seconds each, and looks how it does afterwards: one process on SQLite, one on PostgreSQL, three that are asked in turn,
# and three behind HAProxy (config/haproxy.cfg). As on machines of their own, PostgreSQL gets a half of the first core, whether or not
# the other half is used, the processes of the shop together that other half, HAProxy and the crowd all other cores.
#
# Needs wrk, curl, and PostgreSQL's server and pgbench (Debian: wrk curl postgresql postgresql-contrib); `overload` HAProxy (haproxy),
# root, and two cores, too.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=rates
if [ "${1:-}" = overload ]; then
  mode=overload
  shift; set -- "${1:-3}" "${2:-7}"
fi
seconds=${1:-5} rounds=${2:-3} connections=${3:-16}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/emporium/target}
folder=$(mktemp -d)
chmod 755 "$folder"
pids=() groups=()
port_shop=18480 port_bare=18482 port_postgres=18483 port_balancer=18484
results=$folder/results

finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  for group in "${groups[@]}"; do rmdir "$group" || true; done
  rm -rf "$folder"
}
trap finish EXIT

# A control group with a half of the first core, of version 2 or 1; what is started by `entered` is in it.
half_a_core() { # NAME
  local root=/sys/fs/cgroup group
  [ -e $root/cgroup.controllers ] || root=$root/cpu
  group=$root/emporium-bench-$1
  mkdir -p "$group"
  groups+=("$group")
  # In periods as short as 10 ms, so that nobody waits long for the next.
  if [ -e "$group/cpu.max" ]; then
    echo "5000 10000" >"$group/cpu.max"
  else
    echo 10000 >"$group/cpu.cfs_period_us"; echo 5000 >"$group/cpu.cfs_quota_us"
  fi
  entered=(sh -c 'echo $$ >"$0/cgroup.procs" && exec taskset -c 0 "$@"' "$group")
}

for program in wrk curl; do
  command -v "$program" >/dev/null || { echo "bench.sh needs $program" >&2; exit 1; }
done
programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
[ -x "$programs/pgbench" ] || { echo "bench.sh needs PostgreSQL's server and pgbench" >&2; exit 1; }

cargo build --quiet --release --bins --examples
emporium=$CARGO_TARGET_DIR/release/emporium
bare=$CARGO_TARGET_DIR/release/examples/bare
flood=$CARGO_TARGET_DIR/release/examples/flood

of_database=() of_shop=() of_others=()
if [ $mode = overload ]; then
  [ "$(nproc)" -ge 2 ] && [ "$(id -u)" = 0 ] || { echo "bench.sh overload needs two cores and root" >&2; exit 1; }
  command -v haproxy >/dev/null || { echo "bench.sh overload needs haproxy" >&2; exit 1; }
  half_a_core database; of_database=("${entered[@]}")
  half_a_core shop; of_shop=("${entered[@]}")
  of_others=(taskset -c 1-$(($(nproc) - 1)))
fi

# PostgreSQL does not run as root.
as_server=()
[ "$(id -u)" != 0 ] || as_server=(setpriv --reuid postgres --regid postgres --clear-groups)
[ "$(id -u)" = 0 ] && install -d -o postgres -g postgres "$folder/postgres" || mkdir "$folder/postgres"
"${as_server[@]}" "$programs/initdb" --username=emporium --auth=trust --encoding=UTF8 --locale=C.UTF-8 -D "$folder/postgres" >/dev/null
"${of_database[@]}" "${as_server[@]}" "$programs/postgres" -D "$folder/postgres" -p $port_postgres -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
  -c shared_buffers=256MB -c max_connections=200 >"$folder/postgres.log" 2>&1 &
pids+=($!)
url=postgres://emporium@127.0.0.1:$port_postgres
for _ in $(seq 100); do psql -q "$url/postgres" -c 'SELECT 1' >/dev/null 2>&1 && break; sleep 0.1; done
new_database() { psql -q "$url/postgres" -c 'SET client_min_messages = warning' -c 'DROP DATABASE IF EXISTS shop' -c 'CREATE DATABASE shop'; }

api() { # METHOD PATH BODY
  curl -sS --fail-with-body -X "$1" "http://127.0.0.1:$port_shop/api/v1$2" -H 'content-type: application/json' \
    -H "idempotency-key: $(cat /proc/sys/kernel/random/uuid)" ${token:+-H "authorization: Bearer $token"} ${3:+-d "$3"}
}

# For awk: the median of numbers with spaces between.
median='function median(numbers,   list, n, i, j, t) {
  n = split(numbers, list, " ")
  for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (list[j] + 0 < list[i] + 0) { t = list[i]; list[i] = list[j]; list[j] = t }
  return n == 0 ? 0 : list[int((n + 1) / 2)]
}'

note() { # DATABASE WORK WHAT RATE
  printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" >>"$results"
}

rate() { # runs wrk; gives requests a second, and fails when answers were not 2xx
  local output
  output=$(wrk -t1 -c"$connections" -d"${seconds}s" "$@")
  if grep -q 'Non-2xx' <<<"$output"; then
    echo "answers were not 2xx: $*" >&2; echo "$output" >&2; kill $$
  fi
  awk '/Requests\/sec/ {print $2}' <<<"$output"
}

settings() { # DATABASE-URL NODES; the shop's, as `env` takes them
  shop_settings=(
    EMPORIUM__SERVER__NODES=$2 EMPORIUM__SERVER__PUBLIC_URL=http://127.0.0.1:$port_shop
    EMPORIUM__INVENTORY__MIGRATE_ON_START=false EMPORIUM__USER__MIGRATE_ON_START=false
    EMPORIUM__INVENTORY__DATABASE__URL="$1" EMPORIUM__USER__DATABASE__URL="$1" EMPORIUM__LOG__LEVEL=warn
    EMPORIUM__SERVER__RATE_LIMIT_PER_MINUTE=10000000 EMPORIUM__SERVER__RATE_LIMIT_BURST=1000000
    EMPORIUM__MAIL__DELIVERY__FOLDER__PATH="$folder/mail"
  )
}

bare_rate() { # FILE
  "$bare" $port_bare "$1" & local pid=$!
  for _ in $(seq 50); do curl -s "http://127.0.0.1:$port_bare/" >/dev/null && break; sleep 0.1; done
  rate "http://127.0.0.1:$port_bare/"
  kill $pid; wait $pid 2>/dev/null || true
}

cat >"$folder/login.lua" <<'LUA'
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = '{"email":"login@example.com","password":"correct horse battery staple"}'
LUA

reserve_lua() { # FILE-OF-CODES TOKEN
  cat <<LUA
local codes = {}
for code in io.lines("$1") do codes[#codes + 1] = code end
math.randomseed(os.time())
local run = os.time() .. "-" .. math.random(1000000)
local n = 0
request = function()
  n = n + 1
  local key = run .. "-" .. n
  local body = '{"holder":"' .. key .. '","lines":[{"sku":"' .. codes[math.random(#codes)] .. '","location":"MAIN","quantity":1}]}'
  return wrk.format("POST", "/api/v1/reservations",
    { ["content-type"] = "application/json", ["authorization"] = "Bearer $2", ["idempotency-key"] = key }, body)
end
LUA
}

pgbench_rate() { # SCRIPT
  PGOPTIONS='-c search_path=inventory' "$programs/pgbench" -n -M prepared -c "$connections" -j 1 -T "$seconds" -f "$1" "$url/shop" 2>/dev/null |
    awk '/^tps/ {print $3}'
}

# The statements of each work, as the shop sends them.
pgbench_scripts() {
  psql -q "$url/shop" -c "CREATE TABLE bench_skus AS
    SELECT row_number() OVER () AS n, s.* FROM (SELECT product_id, sku_id, location_id FROM inventory.stock
      JOIN inventory.locations l ON l.id = location_id WHERE l.code = 'MAIN' ORDER BY 1, 2) s;
    CREATE UNIQUE INDEX ON bench_skus (n); ANALYZE"
  count=$(psql -qtA "$url/shop" -c 'SELECT count(*) FROM bench_skus')
  cat >"$folder/product.sql" <<SQL
\\set n random(1, $count)
SELECT product_id AS product FROM public.bench_skus WHERE n = :n \\gset
SELECT * FROM inventory.products WHERE id = :product;
SELECT * FROM inventory.skus WHERE product_id = :product ORDER BY position;
SELECT tag FROM inventory.product_tags WHERE product_id = :product ORDER BY tag;
SQL
  page_sql p.created_at 'products p WHERE TRUE' >"$folder/list.sql"
  page_sql found.rank "(SELECT w.product_id, (1e6 * ts_rank_cd(w.words, q))::bigint AS rank
    FROM product_words w, (SELECT '''$word'':* | ''$word'''::tsquery AS q) AS asked WHERE w.words @@ q) AS found
    JOIN products p ON p.id = found.product_id WHERE TRUE" >"$folder/search.sql"
  reserve_sql "random(1, $count)" >"$folder/reserve.sql"
  reserve_sql "random(1, 1)" >"$folder/reserve_one.sql"
}

page_sql() { # SORTED-BY FROM
  cat <<SQL
SELECT p.*, (EXISTS (SELECT 1 FROM stock s WHERE s.product_id = p.id AND s.location_id IN (SELECT id FROM locations WHERE active)
    AND (s.on_hand - s.reserved - s.allocated - s.safety + s.backorder > 0
         OR (s.reserved > 0 AND s.on_hand - s.allocated - s.safety + s.backorder > 0
             AND s.on_hand - s.reserved - s.allocated - s.safety + s.backorder + coalesce((
                 SELECT sum(r.quantity) FROM reservation_lines r
                 WHERE r.product_id = s.product_id AND r.sku_id = s.sku_id AND r.location_id = s.location_id
                   AND r.state = 'held' AND r.expires_at <= now()), 0) > 0)))
  OR EXISTS (SELECT 1 FROM skus k, locations l WHERE k.product_id = p.id AND k.backorder_limit > 0 AND l.active
    AND NOT EXISTS (SELECT 1 FROM stock s WHERE s.product_id = k.product_id AND s.sku_id = k.id AND s.location_id = l.id)))
  AS in_stock
FROM (SELECT p.id, p.handle, p.title, p.vendor, p.status, p.category_id, p.images, p.price_min, p.price_max, p.created_at,
    p.updated_at, $1 AS sort_key FROM $2 AND p.status = 'active' ORDER BY sort_key DESC, p.id DESC LIMIT 21) AS p
ORDER BY sort_key DESC, id DESC;
SQL
}

reserve_sql() { # WHICH
  cat <<SQL
\\set n $1
SELECT product_id AS product, sku_id AS sku, location_id AS location FROM public.bench_skus WHERE n = :n \\gset
SELECT gen_random_uuid() AS id \\gset
BEGIN;
INSERT INTO inventory.idempotency_keys (owner, key, request_hash, created_at) VALUES ('bench', :id, '', now());
INSERT INTO inventory.holders (holder, touched_at) VALUES (:id, now());
UPDATE inventory.stock SET reserved = reserved + 1, version = version + 1
  WHERE product_id = :product AND sku_id = :sku AND location_id = :location
    AND on_hand - reserved - allocated - safety + backorder >= 1 RETURNING version, on_hand, reserved \\gset level_
INSERT INTO inventory.stock_ledger (product_id, sku_id, location_id, seq, kind, reserved_delta, on_hand_after, reserved_after,
  allocated_after, safety_after, incoming_after, actor, reservation_id, created_at)
  VALUES (:product, :sku, :location, :level_version, 'reserved', 1, :level_on_hand, :level_reserved, 0, 0, 0, 'bench', :id, now());
INSERT INTO inventory.reservations (id, holder, state, product_ids, expires_at, expires_max, created_at, updated_at)
  VALUES (:id, :id, 'held', '[]', now() + interval '900 s', now() + interval '1 day', now(), now());
INSERT INTO inventory.reservation_lines (product_id, reservation_id, sku_id, location_id, quantity, holder, state, expires_at)
  VALUES (:product, :id, :sku, :location, 1, :id, 'held', now() + interval '900 s');
INSERT INTO inventory.outbox (aggregate_id, id, type, data, created_at) VALUES (:id, :id, 'reservation.held', '{}', now());
UPDATE inventory.idempotency_keys SET response = '{}' WHERE owner = 'bench' AND key = :id;
COMMIT;
SQL
}

"$emporium" sample --skus 2000 --seed 1 >"$folder/goods.jsonl"
printf 'correct horse battery staple\n' >"$folder/password"

start_node() { # NUMBER
  local port=$((port_shop + 10 * $1))
  env "${shop_settings[@]}" EMPORIUM__SERVER__LISTEN=127.0.0.1:$port EMPORIUM__SERVER__INTERNAL_LISTEN=127.0.0.1:$((port + 1)) \
    "${of_shop[@]}" "$emporium" serve 2>"$folder/shop$1.log" &
  shop+=($!)
  pids+=($!)
  for _ in $(seq 100); do curl -sf "http://127.0.0.1:$port/readyz" >/dev/null && break; sleep 0.1; done
}

stop_shop() {
  kill "${shop[@]}"; wait "${shop[@]}" 2>/dev/null || true
}

# Starts a shop of so many processes with the goods, of which there is enough, and logs an administrator in.
start_shop() { # DATABASE-URL NODES
  local name rows start node
  settings "$1" "$2"
  env "${shop_settings[@]}" "$emporium" migrate >/dev/null
  env "${shop_settings[@]}" "$emporium" import "$folder/goods.jsonl" >/dev/null
  # As its autovacuum does within a minute.
  [ "$1" != "$url/shop" ] || psql -q "$1" -c ANALYZE
  # Two accounts: a person has at most 100 sessions, and the log-ins measured would end the one that reserves.
  for name in bench login; do
    env "${shop_settings[@]}" "$emporium" user create-admin $name@example.com --password-file "$folder/password" >/dev/null
  done
  shop=()
  for node in $(seq 0 $(($2 - 1))); do start_node "$node"; done
  token=
  token=$(api POST /auth/login '{"email":"bench@example.com","password":"correct horse battery staple"}' |
    sed -E 's/.*"token":"([^"]+)".*/\1/')
  # Of active products: the others are not for sale.
  grep '"status":"active"' "$folder/goods.jsonl" | grep -o '"code":"[^"]*","options"' | sed -E 's/"code":"([^"]*)".*/\1/' >"$folder/codes"
  head -1 "$folder/codes" >"$folder/one"
  for start in 1 1001; do
    rows=$(sed -n "$start,$((start + 999))p" "$folder/codes" |
      sed 's/.*/{"sku":"&","location":"MAIN","delta":1000000,"reason":"bench"}/' | paste -sd,)
    [ -z "$rows" ] || api POST /stock/adjustments "{\"rows\":[$rows]}" >/dev/null
  done
  handle=$(grep -m1 '"type":"product"' "$folder/goods.jsonl" | sed -E 's/.*"handle":"([^"]+)".*/\1/')
  word=$(grep -m1 '"type":"product"' "$folder/goods.jsonl" | sed -E 's/.*"title":"([A-Za-z]+).*/\L\1/')
  reserve_lua "$folder/codes" "$token" >"$folder/reserve.lua"
  reserve_lua "$folder/one" "$token" >"$folder/reserve_one.lua"
}

figures_of() { # OF-WHAT
  printf '\n%s, %s cores, %s; %s\n\n' \
    "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)" "$(nproc)" "$(date -u +%Y-%m-%d)" "$1"
}

# config/haproxy.cfg in front of three nodes, without TLS: the load speaks none.
start_balancer() {
  sed -E "/bind :443/d; /redirect scheme/d; /^ +(user|group) /d; s/bind :80/bind 127.0.0.1:$port_balancer/; s/node1:8080/127.0.0.1:$port_shop/
    s/node2:8080/127.0.0.1:$((port_shop + 10))/; s/node3:8080/127.0.0.1:$((port_shop + 20))/; s/127.0.0.1:8404/127.0.0.1:$((port_balancer + 1))/" \
    config/haproxy.cfg >"$folder/haproxy.cfg"
  "${of_others[@]}" haproxy -db -f "$folder/haproxy.cfg" >"$folder/haproxy.log" 2>&1 &
  shop+=($!)
  pids+=($!)
  for _ in $(seq 100); do curl -sf "http://127.0.0.1:$port_balancer/readyz" >/dev/null && break; sleep 0.1; done
}

# Of all processes of the shop, in MiB.
memory() { for pid in "${shop[@]}"; do cat "/proc/$pid/status"; done | awk '/VmRSS/ {sum += $2} END {printf "%d", sum / 1024}'; }

load() { # BROWSERS-A-SECOND SALES-A-SECOND SECONDS; two lines of flood
  printf '%s\tbrowse\tGET\t%s\t\t\n%s\tsale\tPOST\t/api/v1/reservations\t%s\t{"holder":"{n}","lines":[{"sku":"%s","location":"MAIN","quantity":1}]}\n' \
    "$1" "$page" "$2" "$token" "$(cat "$folder/one")" >"$folder/kinds"
  "${of_others[@]}" "$flood" "$ports" "$3" "$folder/kinds"
}

overload() { # NAME DATABASE-URL NODES PORTS product|search
  local sales=20 rate=20 most=0 ok times round before ports=$4 page
  start_shop "$2" "$3"
  case $5 in product) page=/products/$handle ;; search) page=/search?q=$word ;; esac
  [ "$ports" != $port_balancer ] || start_balancer
  load 20 $sales 3 >/dev/null
  # What it can do, about: the rate is raised until less than 60 of 100 are served.
  while :; do
    ok=$(load $rate $sales 3 | awk -F'\t' '$1 == "browse" {print $3}')
    [ "$ok" -gt "$most" ] && most=$ok
    [ $((ok * 100)) -ge $((rate * 60)) ] || break
    rate=$((rate * 3 / 2))
  done
  : >"$folder/rows"
  for round in $(seq "$rounds"); do
    for times in 0.5 1 2 5 10; do
      before=$(memory)
      printf '%s\t' $times >>"$folder/rows"
      load "$(awk "BEGIN {printf \"%d\", $most * $times}")" $sales "$seconds" | tr '\n' '\t' >>"$folder/rows"
      printf '%s\t%s\n' "$before" "$(memory)" >>"$folder/rows"
    done
  done
  figures_of "$1; a $5 page, and $sales sales a second, $seconds s each, medians of $rounds rounds."
  overload_table
  printf '\nAfter it, at half of that, second by second, pages served of those sent:'
  for _ in 1 2 3 4 5; do
    load $((most / 2)) $sales 1 | awk -F'\t' '$1 == "browse" {printf " %d of %d;", $3, $2}'
  done
  echo
  stop_shop
}

# A row: times, and of pages: name, sent, served, refused, otherwise, p50, p99; the same of sales; memory before and after.
overload_table() {
  echo "| offered pages a second | served | share of the most | p50 ms | p99 ms | sales served | p50 ms | p99 ms | memory MiB before, after |"
  echo "|---|---|---|---|---|---|---|---|---|"
  awk -F'\t' "$median"'
    function note(what, value) { values[$1, what] = values[$1, what] " " value }
    function of(i, what) { return median(values[times[i], what]) }
    NR <= 5 { times[NR] = $1; sent[NR] = $3 }
    { note("served", $4); note("p50", $7); note("p99", $8); note("sales", 100 * $11 / $10); note("sale p50", $14); note("sale p99", $15)
      note("before", $16); note("after", $17) }
    END {
      for (i = 1; i <= 5; i++) if (of(i, "served") > most) most = of(i, "served")
      for (i = 1; i <= 5; i++)
        printf "| %d | %d | %.2f | %s | %s | %.1f%% | %s | %s | %d, %d |\n", sent[i], of(i, "served"), of(i, "served") / most, of(i, "p50"),
          of(i, "p99"), of(i, "sales"), of(i, "sale p50"), of(i, "sale p99"), of(i, "before"), of(i, "after")
    }' "$folder/rows"
}

if [ $mode = overload ]; then
  nodes=$port_shop,$((port_shop + 10)),$((port_shop + 20))
  overload "one process on SQLite" "sqlite:$folder/emporium.db" 1 $port_shop product
  new_database; overload "one process on PostgreSQL" "$url/shop" 1 $port_shop product
  new_database; overload "three in turn on PostgreSQL" "$url/shop" 3 "$nodes" product
  for page in product search; do
    new_database; overload "three behind HAProxy on PostgreSQL" "$url/shop" 3 $port_balancer $page
  done
  exit
fi

for database in sqlite postgres; do
  case $database in
    sqlite) start_shop sqlite:$folder/emporium.db 1 ;;
    postgres) new_database; start_shop "$url/shop" 1; pgbench_scripts ;;
  esac
  base=http://127.0.0.1:$port_shop/api/v1
  declare -A path=([product]="/products/$handle" [list]="/products?limit=20" [search]="/products?limit=20&q=$word")
  site=http://127.0.0.1:$port_shop
  declare -A page=([home]="/" [page]="/products/$handle")
  token_kept=$token
  for _ in $(seq "$rounds"); do
    for work in product list search; do
      token= api GET "${path[$work]}" "" >"$folder/$work.json"
      note $database $work shop "$(rate "$base${path[$work]}")"
      note $database $work bare "$(bare_rate "$folder/$work.json")"
    done
    for work in home page; do
      curl -sSf "$site${page[$work]}" >"$folder/$work.html"
      note $database $work shop "$(rate "$site${page[$work]}")"
      note $database $work bare "$(bare_rate "$folder/$work.html")"
    done
    token=$token_kept
    note $database login shop "$(rate -s "$folder/login.lua" "$base/auth/login")"
    api POST /reservations "{\"lines\":[{\"sku\":\"$(cat "$folder/one")\",\"quantity\":1}]}" >"$folder/reserve.json"
    for work in reserve reserve_one; do
      note $database $work shop "$(rate -s "$folder/$work.lua" "$base/reservations")"
      note $database $work bare "$(bare_rate "$folder/reserve.json")"
    done
    if [ $database = postgres ]; then
      for work in product list search reserve reserve_one; do
        note $database $work pgbench "$(pgbench_rate "$folder/$work.sql")"
      done
    fi
  done
  note $database memory shop "$(awk '/VmHWM/ {print $2 / 1024}' /proc/${shop[0]}/status)"
  stop_shop
done

figures_of "$connections connections, $rounds rounds of $seconds s, medians of requests a second."
sort "$results" | awk -F'\t' "$median"'
  { key = $1 FS $2 FS $3; values[key] = values[key] " " $4 }
  function ratio(a, b) { return b > 0 ? sprintf("%.3f", a / b) : "" }
  function whole(a) { return a > 0 ? sprintf("%d", a) : "" }
  END {
    print "| work | database | shop | bare handler | shop : bare | pgbench | shop : pgbench |"
    print "|---|---|---|---|---|---|---|"
    split("product list search home page login reserve reserve_one", works, " ")
    names["product"] = "one product"; names["list"] = "list of 20"; names["search"] = "search, one word"; names["home"] = "home (HTML)"; names["page"] = "one product (HTML)"; names["login"] = "login"
    names["reserve"] = "reserve, random SKUs"; names["reserve_one"] = "reserve, one SKU"
    for (w = 1; w <= 8; w++) for (d = 1; d <= 2; d++) {
      database = d == 1 ? "sqlite" : "postgres"; work = works[w]
      shop = median(values[database FS work FS "shop"]); bare = median(values[database FS work FS "bare"]); pgbench = median(values[database FS work FS "pgbench"])
      printf "| %s | %s | %s | %s | %s | %s | %s |\n", names[work], d == 1 ? "SQLite" : "PostgreSQL", whole(shop), whole(bare), ratio(shop, bare), whole(pgbench), ratio(shop, pgbench)
    }
    printf "\nPeak resident memory: %d MiB with SQLite, %d MiB with PostgreSQL.\n", median(values["sqlite" FS "memory" FS "shop"]), median(values["postgres" FS "memory" FS "shop"])
  }'
