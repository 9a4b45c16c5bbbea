#!/bin/sh
# Makes .venv from requirements.lock, and sees that the native libraries of WeasyPrint are there. Does nothing twice.
set -eu
cd "$(dirname "$0")/.."

# Some services and containers run without one.
: "${HOME:=/}"

say() { printf '%s\n' "$*" >&2; }

# -- a Python --

is_good() { "$1" -c 'import sys; sys.exit(not (3, 12) <= sys.version_info[:2] < (3, 15))' >/dev/null 2>&1; }

makes_environments() { is_good "$1" && "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

# find_python TEST: the first that passes it.
find_python() {
    # 3.13 first, which this is developed on. A shim of pyenv's that only prints an error is none.
    for name in python3.13 python3.14 python3.12 python3 python; do
        path=$(command -v "$name" 2>/dev/null) || continue
        if "$1" "$path"; then echo "$path"; return; fi
    done
    for root in "${PYENV_ROOT:-}" "$HOME/.pyenv" /opt/pyenv /usr/local/pyenv; do
        [ -n "$root" ] || continue
        for version in 3.13 3.14 3.12; do
            for path in "$root/versions/$version".*/bin/python3; do
                if [ -x "$path" ] && "$1" "$path"; then echo "$path"; return; fi
            done
        done
    done
    return 1
}

# -- packages of the system --

# install WHY PACKAGE...: as root with apt; else says the one line that does it, and ends.
install() {
    why=$1; shift
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "Installing $*."
        DEBIAN_FRONTEND=noninteractive apt-get update -qq >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -o DPkg::Lock::Timeout=300 --no-install-recommends \
            "$@" >/dev/null
    else
        say "$why. Install what is missing: sudo apt-get install $*"
        exit 1
    fi
}

# -- the environment --

make_venv() {
    python=$(find_python makes_environments) || {
        if python=$(find_python is_good); then
            install "Virtual environments need a package of Debian's" python3-venv
            find_python makes_environments >/dev/null && make_venv && return
            say "$python cannot make virtual environments."
        else
            say "Python 3.12 or newer is missing (3.13 is best). Install it, or put it on PATH, and try again."
        fi
        exit 1
    }
    # That of an active environment is a link, which may be about to go.
    python=$("$python" -c 'import sys; print(sys._base_executable)')
    say "Making .venv with $("$python" --version)."
    rm -rf .venv
    "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check uv
}

wanted=$(cksum < requirements.lock)
if [ "$(cat .venv/.synced 2>/dev/null || true)" != "$wanted" ] || ! is_good .venv/bin/python; then
    is_good .venv/bin/python && [ -x .venv/bin/uv ] || make_venv
    say "Installing what requirements.lock names."
    .venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock
    printf '%s\n' "$wanted" > .venv/.synced
fi

# -- what WeasyPrint needs: Pango, a fast font subsetter, and fonts with the glyphs of every name --

packages="libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-noto-core fonts-noto-cjk"

libraries_are_there() {
    .venv/bin/python - <<'EOF'
import ctypes
import sys

for name in ("libpango-1.0.so.0", "libpangoft2-1.0.so.0", "libharfbuzz-subset.so.0"):
    try:
        ctypes.CDLL(name)
    except OSError:
        sys.exit(1)
EOF
}

fonts_are_there() {
    [ -d /usr/share/fonts ] || return 1
    for font in NotoSans-Regular NotoNaskhArabic-Regular NotoSansCJK-Regular; do
        [ -n "$(find /usr/share/fonts /usr/local/share/fonts "$HOME/.fonts" "$HOME/.local/share/fonts" \
            -name "$font*" 2>/dev/null | head -n 1)" ] || return 1
    done
}

if ! libraries_are_there || ! fonts_are_there; then
    # shellcheck disable=SC2086 - words are what it should be split into
    install "Certificates need libraries and fonts" $packages
fi
