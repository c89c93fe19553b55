#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rows into other stores, one after the other, embedded to clustered and back: what is there is served meanwhile, changes
# are refused until a server is started with the new store, and in the end everything is as it was.
# COMB_LONG=1: with 100,000 nodes, and the times that it takes.
. tests/e2e/lib.sh

T=$TEST_TMPDIR
long=${COMB_LONG:-}
nodes=100
[ -z "$long" ] || nodes=100000

line=$(bazel/stores start "$T/stores") || fail "no stores"
read -ra clustered <<<"$line"
stop_all() {
    [ -z "$combd_pid" ] || kill -KILL "$combd_pid" 2>/dev/null || true
    bazel/stores stop "$T/stores" || true
}
trap stop_all EXIT

# value FLAG: what the stores gave for it.
value() {
    local i
    for i in "${!clustered[@]}"; do
        [ "${clustered[$i]}" != "$1" ] || printf '%s' "${clustered[$((i + 1))]}"
    done
}

declare -A to_clustered=([sql]=$(value --sql) [data]=$(value --data) [vault]=$(value --vault) [config]=$(value --config)
    [docs]=$(value --docs))
declare -A credentials=([sql]=$(value --sql-credentials-file) [data]=$(value --data-credentials-file)
    [vault]=$(value --vault-token-file) [config]="" [docs]="")
declare -A credentials_flag=([sql]=--sql-credentials-file [data]=--data-credentials-file [vault]=--vault-token-file)

start_combd --drain-delay-ms 0
login_admin

# ---- something of everything ----
printf 'a password of hers' >"$T/password"
chmod 600 "$T/password"
mkdir -p "$T/files"
count=0
while [ "$count" -lt "$nodes" ]; do
    folder=$T/files/$((count / 500))
    mkdir -p "$folder"
    printf 'content %s' "$count" >"$folder/$count"
    count=$((count + 1))
done
head -c 3000000 /dev/urandom >"$T/files/large"
expect 0 comb import "$T/files" /personal/files
expect 0 comb user add anna --password-file "$T/password" --name 'Anna A.'
expect 0 comb grant /personal/files user:anna read
printf 'first secret' | expect 0 comb vault put app/db
printf 'second secret' | expect 0 comb vault put app/db --expect 1
printf 'x' | expect 0 comb vault put app/gone
expect 0 comb vault destroy app/gone 1
expect 0 comb config set /app/limit=17
expect 0 comb doc store notes
expect 0 comb doc index add notes state /state
expect 0 comb doc put notes first '{"state": "open"}'
expect 0 comb feed follow /personal/files
printf 'nightly run begins\n' | expect 0 comb log append --service nightly

# state: what there is to see of it.
state() {
    comb doc find notes /state=open
    comb feed follows
    comb log --service nightly
    comb tree /personal/files
    comb stat /personal/files/0/7
    comb user ls
    comb rights /personal/files
    comb vault get app/db --version 1
    comb vault get app/db
    comb config get /app/limit
    comb audit verify | sed 's|:.*||'
}
state >"$T/before" 2>&1 || fail "the state before: $(tail -n 3 "$T/before")"

# is_as_it_was: all of it, and every content.
is_as_it_was() {
    state >"$T/after" 2>&1 || fail "the state after: $(tail -n 3 "$T/after")"
    diff "$T/before" "$T/after" >&2 || fail "it is not the same after $1"
}

# ---- what is refused ----
expect 5 comb admin move-row --server "$admin" cache --to mem:1MiB
says "nothing in it lasts"
expect 2 comb admin move-row --server "$admin" tree --to sqlite:/x
expect 2 comb admin move-row --server "$admin" sql --to nothing:/x
expect 2 comb admin move-row --server "$admin" sql --to "sqlite:$COMB_HOME/comb.db"
says "is where the row is already"

# refused COMMAND...: since it would be a change; what is there is served.
refused() {
    expect 6 comb --timeout 20 "$@"
    says "is being moved"
}

# fenced: reads and log-ins are served, changes of each kind are refused.
fenced() {
    expect 0 comb stat /personal/files/large
    printf 'third' >"$T/third"
    refused mkdir /personal/refused
    refused config set /app/limit=18
    refused vault put app/db --file "$T/third" --expect 2
    refused put "$T/third" /personal/third
    refused doc put notes third '{}'
    refused user add bert --password-file "$T/password"
    expect 0 comb login --user anna --password-file "$T/password"
    login_admin
}

# move ROW URL CREDENTIALS: and a restart with it.
flags=()
move() {
    local row=$1 url=$2 file=$3 arguments=()
    [ -z "$file" ] || arguments=(--to-credentials-file "$file")
    local begin=$SECONDS tries=0 status=6
    # One that a store which stood still has broken off is gone on with by the same command.
    while [ "$status" = 6 ] && [ "$tries" -lt 5 ]; do
        tries=$((tries + 1)) status=0
        output=$(comb admin move-row --server "$admin" "$row" --to "$url" "${arguments[@]}" 2>&1) || status=$?
    done
    [ "$status" = 0 ] || fail "move-row $row gave status $status: $output"
    says "start them with --$row $url"
    [ -z "$long" ] || printf '%s to %s: %s s\n' "$row" "${url%%:*}" "$((SECONDS - begin))"
    expect 0 comb stat /personal/files/large
    stop_combd
    flags+=("--$row" "$url")
    [ -z "$file" ] || flags+=("${credentials_flag[$row]}" "$file")
    start_combd --drain-delay-ms 0 "${flags[@]}"
    # Sessions from before go on; nothing has to be logged in again but what came in meanwhile.
    login_admin
    # A database into which 100,000 nodes were just put may stand still for seconds.
    local name=/personal/after-$row-$SECONDS
    tries=0
    until comb mkdir "$name" >"$T/after.log" 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 20 ] || fail "no changes are taken: $(cat "$T/after.log")"
    done
    [ -z "$long" ] || is_as_it_was "the move of $row to $url"
}

# ---- a move that is given up ----
expect 0 comb admin move-row --server "$admin" config --to "json:$T/nowhere.json"
fenced
expect 5 comb admin move-row --server "$admin" sql --to "sqlite:$T/other.db"
says "the row config is being moved"
expect 0 comb admin move-row --server "$admin" --abandon
expect 0 comb mkdir /personal/given-up
expect 0 comb rm --permanently /personal/given-up

# ---- killed in the middle, and gone on with ----
"$COMB" admin move-row --server "$admin" sql --to "${to_clustered[sql]}" \
    --to-credentials-file "${credentials[sql]}" >"$T/killed.log" 2>&1 &
mover=$!
waited=0
until ! comb --timeout 20 mkdir "/personal/until-$waited" >"$T/until.log" 2>&1; do
    [ "$waited" -lt 1000 ] || fail "the move does not begin: $(cat "$T/killed.log")"
    comb rm --permanently "/personal/until-$waited" >/dev/null 2>&1 || break
    waited=$((waited + 1))
done
kill -KILL "$combd_pid"
wait "$combd_pid" 2>/dev/null || true
wait "$mover" || true
start_combd
login_admin
refused mkdir /personal/refused

# ---- there and back ----
# The MongoDB of the tests takes in 100 activities a second: docs is moved with few.
rows=(sql data vault config)
[ -n "$long" ] || rows+=(docs)
for row in "${rows[@]}"; do
    move "$row" "${to_clustered[$row]}" "${credentials[$row]}"
done
is_as_it_was "all moves there"
expect 0 comb get -r /personal/files "$T/there"
diff -r "$T/files" "$T/there" >&2 || fail "contents are not the same there"
flags_there=("${flags[@]}")
mkdir -m 700 "$T/back"
move sql "sqlite:$T/back/comb.db" ""
if [ -z "$long" ]; then
    move docs "sqlite:$T/back/docs.db" ""
else
    move vault "json:$T/back/vault.json" ""
    move data "files:$T/back/data" ""
    move config "json:$T/back/config.json" ""
fi
expect 0 comb get -r /personal/files "$T/again"
diff -r "$T/files" "$T/again" >&2 || fail "contents are not the same again"
is_as_it_was "all"
stop_combd
# What was left behind takes no changes, and says so.
start_combd "${flags_there[@]}"
login_admin
refused mkdir /personal/late
stop_combd
