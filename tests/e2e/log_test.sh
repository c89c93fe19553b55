#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# comb log, over a running combd: appending, finding, counting, following, rights, limits, a restart.
. tests/e2e/lib.sh

start_combd
login_admin
printf 'a long password\n' >"$TEST_TMPDIR/password"
chmod 600 "$TEST_TMPDIR/password"
expect 0 comb user add anna --password-file "$TEST_TMPDIR/password"
mkdir -m 700 "$TEST_TMPDIR/anna"
anna() {
    env COMB_HOME="$TEST_TMPDIR/anna" "$COMB" "$@"
}
expect 0 anna login --user anna --password-file "$TEST_TMPDIR/password"

# Lines, and entries as JSON.
trace=0123456789abcdef0123456789abcdef
printf 'backup begins\nbackup of /team: Größe 7\n\n' | comb log append --service backup || fail "append"
printf 'disk is full\n' | comb log append --service backup --level error --user anna --trace $trace || fail "append"
printf '%s\n' '{"service":"mail","level":"LOG_LEVEL_WARN","message":"queue is long","fields":[{"name":"n","value":"77"}]}' \
    '{"message":"queue is short"}' | comb -o json log append --service post || fail "append of JSON"
expect 0 comb log --service backup --oldest
[ "$(wc -l <<<"$output")" = 3 ] || fail "of three lines there are: $output"
says 'info   backup        backup begins'
says "error  backup        disk is full  user=anna  trace=$trace"
expect 0 comb log GRÖSSE backup
says 'Größe 7'
[ "$(wc -l <<<"$output")" = 1 ] || fail "one line has both words: $output"
expect 0 comb log --level warn --service mail
says 'queue is long  n=77'
expect 0 comb log --trace $trace --user anna full
says 'disk is full'
expect 0 comb -o json log queue short
says '"service":"post"'
says '"level":"LOG_LEVEL_INFO"'
expect 0 comb log --service nobody
[ -z "$output" ] || fail "nobody has logged: $output"

expect 0 comb log --service mail --since -1h --until +1m
says 'queue is long'
expect 0 comb log --service mail --until -1w
[ -z "$output" ] || fail "a week ago there was: $output"

# What is asked wrongly, and who may ask.
expect 2 comb log --since yesterday
says '-2h or +7d'
expect 2 comb log --since -2y
expect 2 comb log --level loud
expect 2 comb log --count week
expect 2 comb log --follow --oldest
expect 2 comb log '?!'
expect 2 comb log append
expect 4 anna log
expect 4 anna log --follow
printf 'x\n' >"$TEST_TMPDIR/x"
expect 4 anna log append --service x <"$TEST_TMPDIR/x"
expect 2 comb log append --service 'two words' <"$TEST_TMPDIR/x"

# Many, page by page, counted; fewer on the slow MongoDB server of the tests.
many=1200
[ "${COMB_TEST_STORES:-}" != clustered ] || many=120
seq -f 'line %g of many' $many | comb log append --service many || fail "append of many"
[ "$(comb log --service many -n 5000 | wc -l)" = $many ] || fail "there are $(comb log --service many -n 5000 | wc -l)"
[ "$(comb log --service many --oldest -n 110 | tail -n 1 | grep -c 'line 110 of many')" = 1 ] || fail "the 110th"
expect 0 comb log --service many 77
[ "$(wc -l <<<"$output")" = 1 ] || fail "one line has the word: $output"
counted=$(comb log --service many --count day | awk '{ n += $3 } END { print n }')
[ "$counted" = $many ] || fail "counted: $counted"
expect 0 comb log --service backup --count hour
says '1 errors'

# What comes is shown as it comes, also behind a restart.
comb log --follow --service live >"$TEST_TMPDIR/followed" 2>&1 &
following=$!
follows() {
    local try
    # What takes longer than who follows looks back is not shown: then another one is.
    for try in 1 2 3 4 5 6; do
        printf 'live %s, %s\n' "$1" "$try" | comb log append --service live || fail "append"
        for _ in $(seq 50); do
            ! grep -qF "live $1" "$TEST_TMPDIR/followed" || return 0
            sleep 0.2
        done
    done
    fail "followed: $(cat "$TEST_TMPDIR/followed")"
}
follows first
follows second
stop_combd
start_combd
[ "$(comb log --service many -n 5000 | wc -l)" = $many ] || fail "a restart has lost some"
follows third
kill "$following"
wait "$following" || true
[ -z "$(grep -F live "$TEST_TMPDIR/followed" | sort | uniq -d)" ] || fail "shown twice: $(cat "$TEST_TMPDIR/followed")"

# The server's own log. What was said before: "draining", when it was stopped.
own() {
    local waited=0
    until output=$(comb log --service combd "$@") && [ -n "$output" ]; do
        [ "$waited" -lt 300 ] || fail "not in the log: $*"
        sleep 0.1
        waited=$((waited + 1))
    done
}
own draining
own serving
says "component=run"
says "replica=$(comb admin info --server "$admin" | sed -n 's/^  replica   \([^,]*\),.*/\1/p')"
# A call that failed, by whose it was and by its trace.
expect 3 comb stat /nowhere
own --user admin call failed NOT_FOUND Stat
trace=$(sed -n 's/.*trace=\([0-9a-f]*\).*/\1/p' <<<"$output" | head -n 1)
own --trace "$trace"
says 'call failed'
# A warning that is provoked: a configuration that is none, where it is a file.
if [ ${#stores[@]} = 0 ]; then
    cp "$COMB_HOME/config.json" "$TEST_TMPDIR/config.json"
    printf 'this is no JSON' >"$COMB_HOME/config.json"
    own --level warn edited cannot used
    says 'component=config'
    cp "$TEST_TMPDIR/config.json" "$COMB_HOME/config.json"
fi
stats=$(comb log --service combd Stat NOT_FOUND | wc -l)
stop_combd

# Not kept: what is of a level below, and nothing at all.
start_combd --log-store error
expect 3 comb stat /never
stop_combd
start_combd --log-store off
expect 3 comb stat /never
[ "$(comb log --service combd Stat NOT_FOUND | wc -l)" = "$stats" ] || fail "a line of level info was kept"
[ "$(comb log --service combd serving | wc -l)" = 2 ] || fail "not served twice: $(comb log --service combd serving)"
stop_combd
expect 2 "$COMBD" --home "$COMB_HOME" --log-store loud
says '--log-store: must be'
