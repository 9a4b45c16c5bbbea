#!/bin/sh
# Programs of others with which the tests look at our PDFs, alerts and queue, or stand in front of the database. Without them those tests are left out,
# unless CHECKERS=required.
set -eu

packages="qpdf poppler-utils zbar-tools redis-server prometheus pgbouncer"
are_there() {
    for program in qpdf pdfdetach pdftotext zbarimg redis-server prometheus promtool pgbouncer; do
        command -v "$program" || return 1
    done
}

are_there >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 - words are what it should be split into
    { apt-get update -qq && apt-get install -qq -o DPkg::Lock::Timeout=300 --no-install-recommends $packages; } \
        >/dev/null 2>&1 || true
    are_there >/dev/null && exit 0
fi
if [ "${CHECKERS:-}" = required ]; then
    echo "The tests need programs that are missing. Install them: apt-get install $packages" >&2
    exit 1
fi
echo "Checks by other programs are left out. To have them: sudo apt-get install $packages" >&2
