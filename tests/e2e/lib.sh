# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the tests of this folder that are scripts: a combd of their own, comb logged in to it, and checks.

set -euo pipefail

COMBD=$PWD/server/combd
COMB=$PWD/client/cli/comb
export COMB_HOME=$TEST_TMPDIR/home
combd_pid=
# Flags of all-clustered stores, where the test is run on those.
stores=()

comb() {
    "$COMB" "$@"
}

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    [ ! -f "$TEST_TMPDIR/combd.log" ] || tail -n 20 "$TEST_TMPDIR/combd.log" >&2
    exit 1
}

# start_stores: starts them at first where COMB_TEST_STORES=clustered asks for them.
start_stores() {
    [ "${COMB_TEST_STORES:-}" = clustered ] && [ ${#stores[@]} = 0 ] || return 0
    local line
    line=$(bazel/stores start "$TEST_TMPDIR/stores") || fail "no stores"
    read -ra stores <<<"$line"
}

# start_combd [FLAGS...]: returns when it serves; sets combd_pid, server and admin.
start_combd() {
    start_stores
    rm -f "$TEST_TMPDIR/ready"
    "$COMBD" --home "$COMB_HOME" --listen "${server:-127.0.0.1:0}" --admin-listen "${admin:-127.0.0.1:0}" \
        --ready-file "$TEST_TMPDIR/ready" "${stores[@]}" "$@" >>"$TEST_TMPDIR/combd.log" 2>&1 &
    combd_pid=$!
    local waited=0
    while [ ! -s "$TEST_TMPDIR/ready" ]; do
        kill -0 "$combd_pid" 2>/dev/null || fail "combd ended before it served"
        [ "$waited" -lt 600 ] || fail "combd does not serve"
        sleep 0.1
        waited=$((waited + 1))
    done
    server=$(sed -n 's/^listen=//p' "$TEST_TMPDIR/ready")
    admin=$(sed -n 's/^admin=//p' "$TEST_TMPDIR/ready")
    export COMB_SERVER=$server
}

# stop_combd: SIGTERM; it must end well.
stop_combd() {
    kill -TERM "$combd_pid"
    wait "$combd_pid" || fail "combd ended with status $?"
    combd_pid=
}

cleanup() {
    [ -z "$combd_pid" ] || kill -KILL "$combd_pid" 2>/dev/null || true
    [ ${#stores[@]} = 0 ] || bazel/stores stop "$TEST_TMPDIR/stores" || true
}
trap cleanup EXIT

login_admin() {
    comb login --user admin --password-file "$COMB_HOME/admin" >/dev/null
}

# expect STATUS COMMAND...: runs it; its exit status must be STATUS. Its output is in $output, of both streams.
expect() {
    local wanted=$1 status=0
    shift
    output=$("$@" 2>&1) || status=$?
    [ "$status" = "$wanted" ] || fail "$* gave status $status, not $wanted: $output"
}

# says TEXT: the output of the last expect holds it.
says() {
    case $output in
    *"$1"*) ;;
    *) fail "\"$1\" is not in: $output" ;;
    esac
}
