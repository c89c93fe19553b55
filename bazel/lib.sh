# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the commands of this folder: where we are, what is missing, how to install it.

COMB_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "${0##*/}: $1"
    exit "${2:-1}"
}

# read_list FILE: the entries of a list of this folder, without comments.
read_list() {
    sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$COMB_SOURCE/bazel/$1"
}

# missing_packages LIST...: those of the lists' packages that are not installed, one a line.
missing_packages() {
    local list package
    for list in "$@"; do
        for package in $(read_list "$list"); do
            [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
                printf '%s\n' "$package"
        done
    done
}

# install_packages LIST...: installs what is missing of the lists as root or through sudo; where neither is to be had,
# prints the one line that mends it and exits with 2.
install_packages() {
    local missing as_root=() log
    command -v dpkg-query >/dev/null || die "this is not a Debian system; Debian 12 is what Comb is built on" 2
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            as_root=(sudo)
        else
            say "These Debian packages are missing and this user may not install them. As root, run:"
            say "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
            exit 2
        fi
    fi
    say "Installing ${#missing[@]} Debian packages: ${missing[*]}"
    log=$(mktemp)
    if ! {
        "${as_root[@]}" apt-get -o DPkg::Lock::Timeout=300 update -q &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends "${missing[@]}"
    } >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        say "apt-get failed (its last lines are above). When that is mended, run this again, or as root:"
        say "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
        exit 2
    fi
    rm -f "$log"
}
