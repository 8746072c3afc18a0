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
  for program in make perl; do command -v "$program" >/dev/null || missing+=("$program"); done
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

install
install_schemathesis
install_axe

step "Format";  cargo fmt --check
step "Lints";   cargo clippy --quiet --all-targets -- -D warnings
step "Tests";   cargo test --all-targets
