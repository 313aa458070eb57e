#!/usr/bin/env bash
# Makes this machine ready for `make demo`, `make test` and the rest, and says each thing that it does.
#
# Installs Debian packages that are missing (those below, and any named as arguments) and fills .venv with the Python
# packages that constraints.txt pins, and with helm and an older kubectl (tools/programs.py). What is in place already is
# left alone, so a second run is done at once.
set -euo pipefail
cd "$(dirname "$0")/.."

debian_packages=(nginx libnginx-mod-http-lua lua-resty-core lua-resty-lrucache lua-cjson libnginx-mod-stream curl "$@")
stamp=.venv/.installed

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }

# --- a Python that is new enough and can make virtual environments

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
makes_venvs() { "$1" -c 'import venv, ensurepip' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
        if is_new_enough "$candidate" && makes_venvs "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
}

# A checkout that was moved has a .venv whose programs still name the old place.
has_working_venv() { .venv/bin/python -c 'import pip' 2>/dev/null && grep -qF "$PWD/.venv" .venv/pyvenv.cfg; }

# --- Debian packages

is_installed() { dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

install_debian_packages() {
    local missing=() package
    for package in "${debian_packages[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    if ! has_working_venv && [[ -z $(find_python) ]]; then
        is_new_enough /usr/bin/python3 || fail "Python 3.11 or newer is needed, as python3 or python3.11 ... on the PATH"
        missing+=(python3-venv)
    fi
    [[ ${#missing[@]} -gt 0 ]] || return 0

    local root=()
    if [[ $(id -u) -ne 0 ]]; then
        sudo -n true 2>/dev/null || fail "Debian packages are missing, and installing them needs root. Run this, then try again:
    sudo bash tools/apt_install.sh ${missing[*]}"
        root=(sudo -n)
    fi
    say "installing Debian packages: ${missing[*]}"
    "${root[@]}" bash tools/apt_install.sh "${missing[@]}"
}

# --- Python packages

fingerprint() { sha256sum constraints.txt pyproject.toml tools/setup.sh tools/programs.* && .venv/bin/python --version; }

install_python_packages() {
    if ! has_working_venv; then
        local python
        python=$(find_python)
        say "making a virtual environment in .venv with $("$python" --version)"
        "$python" -m venv --clear .venv
    fi
    if [[ $(fingerprint) == "$(cat $stamp 2>/dev/null)" ]]; then
        return
    fi
    say "installing the Python packages of constraints.txt, and Sevengate itself, into .venv"
    local install=(.venv/bin/python -m pip install --quiet --disable-pip-version-check)
    "${install[@]}" --require-hashes --requirement constraints.txt
    "${install[@]}" --no-deps --no-build-isolation --editable .
    .venv/bin/python tools/programs.py
    fingerprint >$stamp
}

if command -v apt-get >/dev/null; then
    install_debian_packages
else
    say "no apt-get here, so NGINX with its Lua module must be there already: ${debian_packages[*]}"
fi
install_python_packages
