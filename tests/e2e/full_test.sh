#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# full_test.sh: stores that are full, in file systems of a few MiB, by etcd's quota, by Redis' memory. `combd --check` says
# so in the line of the row, what changes something is refused with STORE_FULL, and goes on without a restart when there
# is room.
if [ -z "${COMB_TEST_OWN_MOUNTS:-}" ]; then
    export COMB_TEST_OWN_MOUNTS=1
    exec unshare --user --map-current-user --mount --keep-caps -- bash "$0" "$@"
fi
# shellcheck source=lib.sh
. tests/e2e/lib.sh

TRIALS_MAX=2000

# disk FOLDER MIB: a file system of its own.
disk() {
    mkdir -p "$1"
    mount -t tmpfs -o "size=$2m,mode=0700" tmpfs "$1"
}
fill() {
    ! head -c 1G /dev/zero 2>/dev/null >"$1/filling" || fail "$1 does not get full"
}
make_room() {
    rm "$1/filling"
}

# until_full PREFIX: makes folders of that name and a number, until one is refused.
until_full() {
    local n=0
    while comb mkdir "$1$n" >"$TEST_TMPDIR/answer" 2>&1; do
        [ "$n" -lt "$TRIALS_MAX" ] || fail "$1 is never refused"
        n=$((n + 1))
    done
    grep -q STORE_FULL "$TEST_TMPDIR/answer" || fail "$1: $(cat "$TEST_TMPDIR/answer")"
}

# check STATUS FLAGS...: the lines are in $output.
check() {
    local wanted=$1
    shift
    expect "$wanted" "$COMBD" --home "$COMB_HOME" --check "$@"
}
# full ROW: its line says so.
full() {
    grep -qE "^$1 +[a-z0-9]+ +FAILED .*(room|space|memory is full)" <<<"$output" || fail "$1 does not tell what to do: $output"
}

head -c 3000000 /dev/urandom >"$TEST_TMPDIR/large"

# ---- embedded stores, all on one disk ----

disk "$COMB_HOME" 32
start_combd
login_admin
fill "$COMB_HOME"
until_full /personal/a
expect 6 comb put "$TEST_TMPDIR/large" /personal/
says STORE_FULL
expect 6 comb config set /a=1
says STORE_FULL
expect 0 comb ls /personal
make_room "$COMB_HOME"
expect 0 comb mkdir /personal/b
expect 0 comb put "$TEST_TMPDIR/large" /personal/
expect 0 comb config set /a=1
stop_combd
fill "$COMB_HOME"
check 1
for row in vault config sql data docs; do
    full "$row"
done
make_room "$COMB_HOME"
check 0

# ---- clustered stores: Redis' memory, etcd's quota, disks of PostgreSQL and of S3's server ----

COMB_TEST_STORES=clustered
export ETCD_QUOTA_BACKEND_BYTES=4194304
disk "$TEST_TMPDIR/stores/postgres" 160
disk "$TEST_TMPDIR/stores/s3" 24
start_stores
value() {
    local i
    for i in "${!stores[@]}"; do
        [ "${stores[$i]}" != "$1" ] || printf '%s' "${stores[$((i + 1))]}"
    done
}
rm -rf "${COMB_HOME:?}"/*
check 0 "${stores[@]}"

redis() {
    REDISCLI_AUTH=$(cat "$(value --cache-credentials-file)") redis-cli -h 127.0.0.1 -p "$(cat "$TEST_TMPDIR/stores/redis/port")" "$@" >/dev/null
}
redis config set maxmemory 1
check 1 "${stores[@]}"
full cache
redis config set maxmemory 0
check 0 "${stores[@]}"

start_combd
login_admin

# etcd WHAT: fills it above its quota, or empties it again, with values of one key that is not Comb's.
etcd() {
    /usr/bin/python3 -c 'import base64, json, sys, urllib.error, urllib.request
url, what = sys.argv[1:]
KEY = base64.b64encode(b"x").decode()


def ask(path, **body):
    with urllib.request.urlopen(url + path, json.dumps(body).encode(), timeout=30) as answer:
        return json.load(answer)


def fill():
    value = base64.b64encode(bytes(300000)).decode()
    try:
        for _ in range(100):
            ask("kv/put", key=KEY, value=value)
    except urllib.error.HTTPError:
        return
    sys.exit("etcd does not get full")


def empty():
    ask("kv/compaction", revision=ask("kv/range", key=KEY)["header"]["revision"], physical=True)
    ask("maintenance/defragment")
    for alarm in ask("maintenance/alarm", action="GET")["alarms"]:
        ask("maintenance/alarm", action="DEACTIVATE", memberID=alarm["memberID"], alarm=alarm["alarm"])


fill() if what == "fill" else empty()' "http://127.0.0.1:$(cat "$TEST_TMPDIR/stores/etcd/port")/v3/" "$1"
}
etcd fill
check 1 "${stores[@]}"
full config
full registry
expect 6 comb config set /a=1
says STORE_FULL
expect 0 comb mkdir /personal/c
etcd empty
expect 0 comb config set /a=1
check 0 "${stores[@]}"

fill "$TEST_TMPDIR/stores/postgres"
until_full /personal/d
expect 0 comb ls /personal
check 1 "${stores[@]}"
full sql
make_room "$TEST_TMPDIR/stores/postgres"
expect 0 comb mkdir /personal/e

fill "$TEST_TMPDIR/stores/s3"
expect 6 comb put "$TEST_TMPDIR/large" /personal/
says STORE_FULL
check 1 "${stores[@]}"
full data
make_room "$TEST_TMPDIR/stores/s3"
expect 0 comb put "$TEST_TMPDIR/large" /personal/
check 0 "${stores[@]}"
stop_combd
echo passed
