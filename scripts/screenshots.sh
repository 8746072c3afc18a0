#!/usr/bin/env bash
# Pictures of the main pages, of a demo with a little history: scripts/screenshots.sh [FOLDER] (docs). Needs chromium and chromedriver.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-docs}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/emporium
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
command -v chromedriver >/dev/null || { echo "install chromium and chromium-driver first" >&2; exit 1; }
mkdir -p "$out"
cargo build --release --quiet
cargo build --example screenshots --quiet

work=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
export EMPORIUM__SERVER__LISTEN=127.0.0.1:$port EMPORIUM__SERVER__INTERNAL_LISTEN=127.0.0.1:$((port + 1))
"$CARGO_TARGET_DIR/release/emporium" demo --folder "$work/demo" >"$work/log" 2>&1 & shop=$!
chromedriver --port=$((port + 2)) >/dev/null 2>&1 & driver=$!
trap 'kill $shop $driver 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT
until curl -sf "http://127.0.0.1:$port/readyz" >/dev/null; do
  kill -0 $shop 2>/dev/null || { cat "$work/log" >&2; exit 1; }
  sleep 0.2
done

# A little history: some orders of the demo's customer.
api=http://127.0.0.1:$port/api/v1
password=$(awk '/customer@/ { print $NF }' "$work/demo/accounts.txt")
token=$(curl -sf "$api/auth/login" -H 'content-type: application/json' \
  -d "{\"email\": \"customer@demo.example\", \"password\": \"$password\"}" | sed -E 's/.*"token":"([^"]+)".*/\1/')
n=0
for sku in BOARD-ASH-S MUG-12-MILK MUG-12-CEL RULER-BRASS-6 RULER-BRASS-12 MUG-12-SPECK; do
  n=$((n + 1))
  id=$(curl -sf "$api/reservations" -H "authorization: Bearer $token" -H 'content-type: application/json' \
    -H "idempotency-key: order-$n" -d "{\"lines\": [{\"sku\": \"$sku\", \"quantity\": 1}]}" | sed -E 's/^\{"id":"([^"]+)".*/\1/') || continue
  [ $n = 6 ] || curl -sf -X POST "$api/reservations/$id/commit" -H "authorization: Bearer $token" -H "idempotency-key: commit-$n" >/dev/null
done
for _ in $(seq 40); do curl -sf "http://127.0.0.1:$port/" >/dev/null; done

"$CARGO_TARGET_DIR/debug/examples/screenshots" "http://127.0.0.1:$port" "http://127.0.0.1:$((port + 2))" "$work/demo" "$out"
