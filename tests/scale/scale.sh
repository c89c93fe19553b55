#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scale.sh FOLDER COMBD SCALE_LOAD [--quick]: one, two, three replicas of COMBD, each held to a quarter of a core, on the
# same stores; then more and more nodes. Prints a table in Markdown: rates, and what a call costs each replica and each
# store of processor time. Runs from the tree's top, by bazel/bench --scale. Only where control groups (version 1) may be
# written: nothing else holds a process to a quarter of a core without stopping it for longer than calls take.
set -euo pipefail
# shellcheck source=../../bazel/lib.sh
. bazel/lib.sh
# shellcheck source=../../bazel/processes.sh
. bazel/processes.sh

GROUPS_ROOT=/sys/fs/cgroup
PERIOD_US=100000
QUOTA_US=25000
IN_FLIGHT_PER_REPLICA=16
STORES=(postgres etcd redis nats vault s3 mongodb)
REPLICAS=3
SIZES=(10000 100000 1000000 10000000)
WARM=200 # calls of scale_load before those that it measures
READS=4000
CREATES=800

cd "$1"
combd=$2
load=$3
tree=$COMB_SOURCE/tests/scale
if [ "${4:-}" = --quick ]; then
    SIZES=(10000 20000)
    READS=500
    CREATES=100
fi
group=comb-scale-$$

# ---- control groups: one for each part, below $group ----

make_group() {
    mkdir -p "$GROUPS_ROOT/cpu/$group/$1" "$GROUPS_ROOT/cpuacct/$group/$1"
}

# put PART PID: it and its children.
put() {
    local pid
    for pid in "$2" $(pgrep -P "$2" || true); do
        echo "$pid" >"$GROUPS_ROOT/cpuacct/$group/$1/cgroup.procs" 2>/dev/null || true
        echo "$pid" >"$GROUPS_ROOT/cpu/$group/$1/cgroup.procs" 2>/dev/null || true
    done
}

# used PART: nanoseconds of processor time.
used() {
    cat "$GROUPS_ROOT/cpuacct/$group/$1/cpuacct.usage"
}

remove_groups() {
    local part
    for part in "${STORES[@]}" replica1 replica2 replica3 ''; do
        rmdir "$GROUPS_ROOT/cpu/$group/$part" "$GROUPS_ROOT/cpuacct/$group/$part" 2>/dev/null || true
    done
}

# ---- parts ----

cleanup() {
    local status=$? i
    trap - EXIT
    for ((i = 1; i <= REPLICAS; i++)); do
        [ ! -s "replica$i/pid" ] || ! is_running "replica$i" || kill -KILL "$(cut -d ' ' -f 1 "replica$i/pid")" || true
    done
    [ ! -e stores ] || "$COMB_SOURCE/bazel/stores" stop "$PWD/stores" || true
    remove_groups
    exit "$status"
}

start_replica() {
    local flags pid
    mkdir -p "$1"
    read -ra flags <stores.flags
    spawn "$1" "$combd" --cluster --home "$PWD/$1/home" --listen "127.0.0.1:$(port "$1")" --admin-listen 127.0.0.1:0 \
        --admin-password-file "$PWD/admin" --ready-file "$PWD/$1/ready" "${flags[@]}"
    await "$1" test -s "$1/ready"
    recognise "$1"
    read -r pid _ <"$1/pid"
    make_group "$1"
    echo "$PERIOD_US" >"$GROUPS_ROOT/cpu/$group/$1/cpu.cfs_period_us"
    echo "$QUOTA_US" >"$GROUPS_ROOT/cpu/$group/$1/cpu.cfs_quota_us"
    put "$1" "$pid"
    servers+=,127.0.0.1:$(cat "$1/port")
}

# sql STATEMENT: asks PostgreSQL; what COPY takes comes from standard input.
sql() {
    PGPASSWORD=$(cat stores/postgres/password) /usr/lib/postgresql/15/bin/psql -X -q -t -A -v ON_ERROR_STOP=1 -c "$1" \
        "host=127.0.0.1 port=$(cat stores/postgres/port) user=comb dbname=comb"
}

# grow FROM TO: the tree, by COPY.
grow() {
    python3 "$tree/nodes.py" "$root" "$1" "$2" |
        sql 'COPY node (id, parent, name, kind, rev, acl_rev, size, create_us, update_us) FROM STDIN'
    sql 'VACUUM ANALYZE node' </dev/null
}

# machine: jiffies of the machine's processors: idle, all.
machine() {
    awk '/^cpu /{ for (i = 2; i <= 9; i++) all += $i; print $5 + $6, all }' /proc/stat
}

# ---- a row ----

# full REPLICAS SECONDS: what stood in the way of more. $3 is what the replicas used in ns, $4 busy percent of the machine.
full() {
    awk -v n="$1" -v seconds="$2" -v used="$3" -v busy="$4" -v share="$QUOTA_US" -v period="$PERIOD_US" 'BEGIN {
        if (used / 1e9 > 0.85 * n * seconds * share / period) print "the replicas"
        else if (busy > 95) print "the machine"
        else print "nothing: waits for stores" }'
}

# row REPLICAS CALL NODES CALLS
row() {
    local calls=$(($4 + WARM)) part before=() after=() rate p50 p99 failed i idle all idle2 all2 begin end replicas_ns=0 cells=
    for part in "${STORES[@]}"; do before+=("$(used "$part")"); done
    for ((i = 1; i <= $1; i++)); do replicas_ns=$((replicas_ns - $(used "replica$i"))); done
    read -r idle all < <(machine)
    begin=$(date +%s%N)
    read -r rate p50 p99 failed < <(COMB_PASSWORD=$(cat admin) "$load" "${servers#,}" "$2" "$3" "$4" $((IN_FLIGHT_PER_REPLICA * $1)))
    [ -n "${rate:-}" ] || die "the load failed (see above)"
    end=$(date +%s%N)
    read -r idle2 all2 < <(machine)
    for part in "${STORES[@]}"; do after+=("$(used "$part")"); done
    for ((i = 1; i <= $1; i++)); do replicas_ns=$((replicas_ns + $(used "replica$i"))); done
    for i in "${!STORES[@]}"; do cells+=" $(((after[i] - before[i]) / 1000 / calls)) |"; done
    local busy=$((100 - 100 * (idle2 - idle) / (all2 - all + 1)))
    printf '| %d | %s | %d | %s | %.1f | %.1f | %s | %d |%s %d | %s |\n' "$1" "$2" "$3" "$rate" "${p50}e-3" "${p99}e-3" "$failed" \
        $((replicas_ns / 1000 / calls)) "$cells" "$busy" "$(full "$1" "$(((end - begin) / 1000000))e-3" "$replicas_ns" "$busy")"
}

# rows REPLICAS NODES [WHERE]
rows() {
    row "$1" "read${3:-}" "$2" "$READS"
    row "$1" "create${3:-}" "$2" "$CREATES"
}

if ! mkdir "$GROUPS_ROOT/cpu/$group" 2>/dev/null || ! mkdir "$GROUPS_ROOT/cpuacct/$group" 2>/dev/null; then
    remove_groups
    die "control groups below $GROUPS_ROOT/cpu cannot be made here, so no replica can be held to a quarter of a core: nothing was measured" 2
fi
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
servers=
secret admin
"$COMB_SOURCE/bazel/stores" start "$PWD/stores" >stores.flags
for name in "${STORES[@]}"; do
    make_group "$name"
    put "$name" "$(cut -d ' ' -f 1 "stores/$name/pid")"
done
start_replica replica1
root=$(COMB_PASSWORD=$(cat admin) "$load" "${servers#,}" root)
grow 0 "${SIZES[0]}"
printf '| replicas | call | nodes | calls/s | p50 ms | p99 ms | failed | replicas, µs of processor a call |'
printf ' %s |' "${STORES[@]}"
printf ' machine busy %% | full |\n|---:|---|---:|---:|---:|---:|---:|---:|'
printf '%0.s---:|' "${STORES[@]}"
printf -- '---:|---|\n'
rows 1 "${SIZES[0]}"
for ((replica = 2; replica <= REPLICAS; replica++)); do
    start_replica "replica$replica"
    rows "$replica" "${SIZES[0]}"
done
for ((size = 1; size < ${#SIZES[@]}; size++)); do
    grow "${SIZES[size - 1]}" "${SIZES[size]}"
    rows "$REPLICAS" "${SIZES[size]}"
    rows "$REPLICAS" "${SIZES[size]}" -anywhere
done
