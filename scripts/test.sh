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
  for program in make perl; do command -v "$program" >/dev/null || missing+=("$program"); done
  [ ${#missing[@]} -eq 0 ] && return
  step "Installing ${missing[*]}"
  local sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The API's tester, in an environment of its own.
install_schemathesis() {
  local version=4.32.5
  export SCHEMATHESIS=$cache/schemathesis-$version/bin/schemathesis
  [ -x "$SCHEMATHESIS" ] && return
  step "Installing schemathesis $version"
  /usr/bin/python3 -m venv "$cache/schemathesis-$version"
  "$cache/schemathesis-$version/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
}

install
install_schemathesis

step "Format";  cargo fmt --check
step "Lints";   cargo clippy --quiet --all-targets -- -D warnings
step "Tests";   cargo test --all-targets
