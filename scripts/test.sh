#!/usr/bin/env bash
# Everything that must pass before a change goes in; installs what it needs on Debian. CI runs this and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/emporium
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
mkdir -p "$cache"

step() { printf '\n== %s\n' "$*"; }

install() {
  local missing=()
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
  /usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null || missing+=(python3-aiosmtpd)
  /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
  [ -e /usr/share/i18n/locales/de_DE ] || missing+=(locales)
  command -v chromedriver >/dev/null || missing+=(chromium chromium-driver)
  [ -e /usr/sbin/haproxy ] || missing+=(haproxy)
  [ -e /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
  [ -e /usr/sbin/dockerd ] || command -v dockerd >/dev/null || missing+=(docker.io)
  docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null || missing+=(docker-compose)
  [ -e /usr/sbin/debootstrap ] || missing+=(debootstrap)
  for program in make perl curl openssl; do command -v "$program" >/dev/null || missing+=("$program"); done
  [ ${#missing[@]} -eq 0 ] && return
  step "Installing ${missing[*]}"
  local sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The API's tester, in an environment of its own.
schemathesis=4.32.5
install_schemathesis() {
  local version=$schemathesis
  export SCHEMATHESIS=$cache/schemathesis-$version/bin/schemathesis
  [ -x "$SCHEMATHESIS" ] && return
  step "Installing schemathesis $version"
  /usr/bin/python3 -m venv "$cache/schemathesis-$version"
  "$cache/schemathesis-$version/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
}

# What holds pages against the accessibility guidelines: axe-core, out of the package that carries it.
install_axe() {
  local version=0.1.8
  export AXE=$cache/axe-$version/axe_playwright_python/axe.min.js
  [ -e "$AXE" ] && return
  step "Installing axe-core (axe-playwright-python $version)"
  "$cache/schemathesis-$schemathesis/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$cache/axe-$version" \
    "axe-playwright-python==$version"
}

# The stages in containers, with the binary that the tests have built: that the image builds its own takes too long here. Where no
# Docker daemon answers, one runs for as long as this takes; the images that it makes are kept in the cache.
containers() {
  if ! docker info >/dev/null 2>&1; then
    local run pid start=$SECONDS
    run=$(mktemp -d)
    export DOCKER_HOST=unix://$run/socket PATH=$PATH:/usr/sbin:/sbin
    dockerd --data-root "$cache/docker" --exec-root "$run/exec" --pidfile "$run/pid" --host "$DOCKER_HOST" >"$run/log" 2>&1 &
    pid=$!
    trap "kill $pid; wait $pid || true; rm -rf '$run'" EXIT
    until docker info >/dev/null 2>&1; do
      [ $((SECONDS - start)) -lt 60 ] && kill -0 "$pid" || { tail "$run/log"; return 1; }
      sleep 0.5
    done
  fi
  export EMPORIUM_BINARY=$CARGO_TARGET_DIR/debug/emporium EMPORIUM_PORT=18080
  for stage in 0 3; do scripts/stage.sh "$stage" test; done
}

# What is asked of a shop on PostgreSQL, with three nodes for each. Left out is what would be the same again: what is about SQLite, the
# commands, the tables, the balancer, the loss of a database and what one process does with too much.
at_stage() {
  local skip=() room
  for room in sqlite balancer cli cluster containers crash failover faults moving overload pooler promotion restart roles schema stages \
    tidy tls; do
    skip+=(--skip "$room::")
  done
  EMPORIUM_TEST_STAGE=$1 cargo test --quiet --test it -- "${skip[@]}"
}

install
install_schemathesis
install_axe

step "Format";  cargo fmt --check
step "Lints";   cargo clippy --quiet --all-targets -- -D warnings
step "Tests, at stages 0 and 1";  cargo test --all-targets -- --skip balancer::cluster::load
step "The balance of a load";     cargo test --quiet --test it balancer::cluster::load -- --test-threads 1 --nocapture
step "Tests at stage 2";          at_stage 2
step "Tests at stage 3";          at_stage 3

step "Stages 0 and 3 in containers";  containers
