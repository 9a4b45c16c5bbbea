#!/bin/sh
# Installs the verifiers that tests/interop runs on Node.js, as package-lock.json names them. Does nothing twice.
# Where that cannot be, those tests are left out and say so; with CHECKERS=required it is an error.
set -eu
cd "$(dirname "$0")/../tests/interop"

[ "${CHECKERS:-}" = required ] && required=yes || required=
say() { printf '%s\n' "$*" >&2; }

wanted=$(cksum < package-lock.json)
[ "$(cat node_modules/.synced 2>/dev/null || true)" != "$wanted" ] || exit 0

is_there() {
    command -v npm >/dev/null 2>&1 && node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' >/dev/null 2>&1
}

if ! is_there && [ -n "$required" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "Installing Node.js."
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >/dev/null
    apt-get install -qq -o DPkg::Lock::Timeout=300 --no-install-recommends nodejs npm >/dev/null
fi
if is_there; then
    say "Installing what tests/interop/package-lock.json names."
    if npm ci --ignore-scripts --no-audit --no-fund --silent; then
        printf '%s\n' "$wanted" > node_modules/.synced
        exit 0
    fi
    reason="npm ci failed"
else
    reason="Node.js 20 or newer is missing"
fi
[ -z "$required" ] || { say "tests/interop cannot be run: $reason."; exit 1; }
