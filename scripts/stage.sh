#!/usr/bin/env bash
# A stage in containers, by compose.yaml:
#
#   scripts/stage.sh 0|1|2|3 up      brings it up and waits until it takes requests
#   scripts/stage.sh 0|1|2|3 test    that, the tests from outside, and a short load; then takes it down
#   scripts/stage.sh 0|1|2|3 status|logs
#   scripts/stage.sh 0|1|2|3 down    takes it down with its data
#
# EMPORIUM_KEEP=1        leave it standing after a test, and after a failure
# EMPORIUM_BINARY=FILE   put this binary into the image, instead of building one there; it must run on Debian 12
# EMPORIUM_PORT=N        its port on this machine (8080, at stage 3: 8443); stage 2 takes the next two as well
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."

stage=${1:-} what=${2:-}
case $stage:$what in
  [0-3]:up | [0-3]:test | [0-3]:status | [0-3]:logs | [0-3]:down) ;;
  *) sed -n '2,11s/^# \?//p' "$0"; exit 2 ;;
esac

state=${XDG_CACHE_HOME:-$HOME/.cache}/emporium/stage-$stage
shop=(box shop cluster1 node1)
shop=${shop[$stage]}
port=${EMPORIUM_PORT:-$([ "$stage" = 3 ] && echo 8443 || echo 8080)}
addresses=(http://127.0.0.1:"$port")
[ "$stage" = 2 ] && addresses+=(http://127.0.0.1:$((port + 1)) http://127.0.0.1:$((port + 2)))
[ "$stage" = 3 ] && addresses=(https://127.0.0.1:"$port")
export EMPORIUM_PORT=$port EMPORIUM_PORT_2=$((port + 1)) EMPORIUM_PORT_3=$((port + 2))
export EMPORIUM_SECRETS=$state/secrets EMPORIUM_TAG=stage EMPORIUM_PUBLIC_URL=${addresses[0]/127.0.0.1/localhost}

step() { printf '\n== %s\n' "$*"; }
give_up() { printf '%s\n' "$*" >&2; exit 1; }

docker info >/dev/null 2>&1 || give_up "No Docker daemon answers ${DOCKER_HOST:-on this machine}. On Debian: apt-get install docker.io \
docker-compose, then start it (systemctl start docker, or dockerd where there is no systemd)."
if docker compose version >/dev/null 2>&1; then
  compose=(docker compose)
elif command -v docker-compose >/dev/null; then
  compose=(docker-compose)
else
  give_up "Compose is missing. On Debian: apt-get install docker-compose."
fi
compose() { "${compose[@]}" --project-name "emporium-stage$stage" --profile "$stage" "$@"; }

# An image of a registry where one can be reached; otherwise one that is made here by the command that follows.
image() {
  local official=$1 own=$2
  shift 2
  if docker image inspect "$official" >/dev/null 2>&1 || timeout 120 docker pull --quiet "$official" >/dev/null 2>&1; then
    echo "$official"
    return
  fi
  if ! docker image inspect "$own" >/dev/null 2>&1; then
    echo "$official cannot be had from a registry: making $own here." >&2
    "$@" "$own" >&2
  fi
  echo "$own"
}

make_base() {
  [ "$(id -u)" = 0 ] || give_up "To make it, this must run as root."
  command -v debootstrap >/dev/null || give_up "To make it, debootstrap is needed: apt-get install debootstrap."
  local root mirror=http://deb.debian.org/debian
  root=$(mktemp -d)
  debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 || { tail "$root.log"; return 1; }
  printf 'deb %s main\n' "$mirror bookworm" "$mirror bookworm-updates" "$mirror-security bookworm-security" \
    >"$root/etc/apt/sources.list"
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
  tar -C "$root" -c . | docker import - "$1" >/dev/null
  rm -rf "$root" "$root.log"
}

# The compiler is this machine's, and so are the authorities that it trusts when it fetches the libraries.
make_builder() {
  local folder
  folder=$(mktemp -d)
  cat >"$folder/Dockerfile" <<END
FROM $BASE
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  build-essential perl ca-certificates >/dev/null
COPY ca-certificates.crt /etc/ssl/certs/
COPY bin /usr/local/bin
COPY lib /usr/local/lib
END
  tar -c -C "$folder" Dockerfile -C /etc/ssl/certs ca-certificates.crt -C "$(rustc --print sysroot)" bin lib >"$folder/context"
  build --tag "$1" - <"$folder/context"
  rm -r "$folder"
}

# Tells what was built only where it could not be.
build() {
  local log
  log=$(mktemp)
  docker build --force-rm "$@" >"$log" 2>&1 || { tail -n 40 "$log"; rm "$log"; return 1; }
  rm "$log"
}

images() {
  step "Images"
  export BASE BUILDER=none
  BASE=$(image debian:bookworm-slim emporium-base:bookworm make_base)
  if [ -n "${EMPORIUM_BINARY:-}" ]; then
    # What is left to build is the image around it.
    local folder
    folder=$(mktemp -d)
    cp "$EMPORIUM_BINARY" "$folder/emporium"
    build --build-arg "BASE=$BASE" --build-arg "BUILDER=$BASE" --target runtime --tag emporium-runtime:stage .
    printf 'FROM emporium-runtime:stage\nCOPY emporium /usr/local/bin/\n' >"$folder/Dockerfile"
    build --tag emporium:stage "$folder"
    rm -r "$folder"
  else
    BUILDER=$(image rust:1-bookworm emporium-builder:bookworm make_builder)
    build --build-arg "BASE=$BASE" --build-arg "BUILDER=$BUILDER" --tag emporium:stage .
  fi
  [ "$stage" = 0 ] || build --build-arg "BASE=$BASE" --tag emporium-db:stage containers/postgres
  [ "$stage" != 3 ] || build --build-arg "BASE=$BASE" --tag emporium-balancer:stage containers/haproxy
}

passwords() {
  mkdir -p -m 0700 "$state" "$EMPORIUM_SECRETS"
  for role in owner inventory user; do
    local file=$EMPORIUM_SECRETS/$role.password
    # Read by another user in the container; outside, the folder keeps everybody out.
    [ -e "$file" ] || (od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$file" && chmod 0444 "$file")
  done
}

wait_until_ready() {
  local start=$SECONDS
  for address in "${addresses[@]}"; do
    until curl --silent --fail --insecure --max-time 5 --output /dev/null "$address/readyz"; do
      [ $((SECONDS - start)) -lt 120 ] || give_up "$address is not ready after two minutes."
      sleep 1
    done
  done
}

admin() {
  [ ! -e "$state/admin" ] || return 0
  local told
  told=$(compose exec -T "$shop" emporium --config /etc/emporium/emporium.toml user create-admin admin@example.com)
  (umask 077 && echo "admin@example.com:${told##*: }" >"$state/admin")
}

up() {
  images
  passwords
  step "Stage $stage"
  timeout 300 "${compose[@]}" --project-name "emporium-stage$stage" --profile "$stage" up -d --no-build
  wait_until_ready
  admin
  echo "${addresses[*]} takes requests; an admin's address and password are in $state/admin."
}

down() {
  compose down --volumes --remove-orphans --timeout 60
  rm -rf "$state"
}

# Takes away what a failure has left half-way.
after() {
  local code=$?
  [ $code = 0 ] && return
  compose logs --tail 20 2>&1 | tail -n 100 || true
  [ -n "${EMPORIUM_KEEP:-}" ] || { step "It failed, and is taken down"; down; }
  exit $code
}

test_it() {
  # The load comes from one address.
  export EMPORIUM_RATE_LIMIT_PER_MINUTE=1000000 EMPORIUM_RATE_LIMIT_BURST=1000000
  up
  if [ "$stage" = 3 ]; then
    compose exec -T balancer cat /etc/haproxy/certificates/self-signed.pem >"$state/ca.pem"
    export EMPORIUM_SHOP_CA=$state/ca.pem
  fi
  export EMPORIUM_SHOP_URL EMPORIUM_SHOP_ADMIN
  EMPORIUM_SHOP_URL=$(IFS=,; echo "${addresses[*]}")
  EMPORIUM_SHOP_ADMIN=$(<"$state/admin")
  step "Tests from outside";  cargo test --quiet --test it outside::the_shop -- --nocapture
  step "A short load";        cargo test --quiet --test it outside::a_short_load -- --nocapture
  if [ "$stage" = 3 ]; then
    step "The nodes' parts in all of it"
    # Columns by their names.
    compose exec -T balancer figures.sh | awk -F, '
      NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
      $2 ~ /^node/ { printf "%s: %d requests, %d answers of 5xx, %d sent again, %d ms on average\n",
        $2, $at["stot"], $at["hrsp_5xx"], $at["wretr"], $at["rtime"] }'
  fi
  [ -n "${EMPORIUM_KEEP:-}" ] || { step "Taking it down"; down; }
}

case $what in
  up) trap after EXIT; up ;;
  test) trap after EXIT; test_it ;;
  status) compose ps ;;
  logs) compose logs --follow --tail 100 ;;
  down) down ;;
esac
