#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_test.sh: `combd --check` over real stores: what is wrong is said in one line of its row that tells what to do,
# the other rows are fine, and the exit status is 1. `--cluster` names every row that is for one process.
# shellcheck source=lib.sh
. tests/e2e/lib.sh

COMB_TEST_STORES=clustered start_stores

# value FLAG: what the stores' line has for it.
value() {
    local i
    for i in "${!stores[@]}"; do
        [ "${stores[$i]}" != "$1" ] || printf '%s' "${stores[$((i + 1))]}"
    done
}

# check STATUS [FLAGS...]: the flags after those of the stores, so that they win; the lines are in $output.
check() {
    local wanted=$1
    shift
    expect "$wanted" "$COMBD" --home "$COMB_HOME" --check "${stores[@]}" "$@"
    [ "$(wc -l <<<"$output")" = 8 ] || fail "not eight lines: $output"
    case $output in *"$(cat "$TEST_TMPDIR/wrong")"*) fail "a secret is shown: $output" ;; esac
}
# fails ROW PATTERN: its line says FAILED and the pattern; the others are fine.
fails() {
    grep -qiE "^$1 +[a-z0-9]+ +FAILED .*($2)" <<<"$output" || fail "$1 does not say '$2': $output"
    [ "$(grep -c ' FAILED ' <<<"$output")" = 1 ] || fail "more fail than $1: $output"
}

printf 'Wr0ngSecret' >"$TEST_TMPDIR/wrong"
(umask 077 && printf 'comb:Wr0ngSecret\n' >"$TEST_TMPDIR/pair" && printf 'Wr0ngSecret\n' >"$TEST_TMPDIR/word")

(umask 077 && printf 'hvs.Wr0ngSecret\n' >"$TEST_TMPDIR/vault-word")

check 0
[ ! -e "$COMB_HOME" ] || fail "a check has made a home"

# Wrong passwords.
check 1 --sql-credentials-file "$TEST_TMPDIR/pair"
fails sql password
check 1 --cache-credentials-file "$TEST_TMPDIR/word"
fails cache 'password|credentials'
check 1 --events-credentials-file "$TEST_TMPDIR/pair"
fails events 'password|credentials'
check 1 --data-credentials-file "$TEST_TMPDIR/pair"
fails data 'secret|key|credentials'

check 1 --docs-credentials-file "$TEST_TMPDIR/pair"
fails docs 'password|credentials'

# Hosts that there are not; servers that are not there.
check 1 --sql postgres://no-such-host.invalid/comb
fails sql no-such-host.invalid
check 1 --cache redis://no-such-host.invalid
fails cache no-such-host.invalid
check 1 --config etcd://no-such-host.invalid/comb
fails config no-such-host.invalid
check 1 --registry etcd://127.0.0.1:1/comb
fails registry 127.0.0.1:1
check 1 --docs mongodb://no-such-host.invalid/comb
fails docs no-such-host.invalid

# A file that others can read.
chmod 644 "$TEST_TMPDIR/word"
check 1 --cache-credentials-file "$TEST_TMPDIR/word"
fails cache 'chmod 600'

# The vault: a wrong token, credentials of others in it, and when it is sealed.
check 1 --vault-token-file "$TEST_TMPDIR/vault-word"
fails vault 'token|permission'
ask_vault() {
    /usr/bin/python3 -c 'import sys, urllib.request
url, token, method, path, body = sys.argv[1:]
request = urllib.request.Request(url.replace("vault:", "http:").replace("/kv", "/v1/") + path, body.encode(), method=method)
request.add_header("X-Vault-Token", token)
urllib.request.urlopen(request, timeout=30)' "$(value --vault)" "$(cat "$(value --vault-token-file)")" "$@"
}
ask_vault POST kv/data/stores "{\"data\": {\"redis\": \"$(cat "$(value --cache-credentials-file)")\"}}"
check 0 --cache-credentials-file 'vault:stores#redis'
check 1 --cache-credentials-file 'vault:stores#nothing'
fails cache 'stores#nothing'
check 1 --cache-credentials-file 'vault:nothing#redis'
fails cache 'nothing#redis'
ask_vault PUT sys/seal ''
check 1
fails vault seal
bazel/stores start "$TEST_TMPDIR/stores" >/dev/null
check 0

# Libraries that only some stores need, none of which can be loaded: the row says what to install, and embedded rows
# are served without them.
mkdir "$TEST_TMPDIR/broken"
late=$(grep -ao '"soname":\["[^"]*' "$COMBD" | sed 's/.*"//' | sort -u)
case $late in *libpq.so*) ;; *) fail "combd does not tell which libraries it loads late: $late" ;; esac
for library in $late; do
    : >"$TEST_TMPDIR/broken/$library"
done
export LD_LIBRARY_PATH=$TEST_TMPDIR/broken
expect 1 "$COMBD" --home "$COMB_HOME" --check --sql postgres://joe@127.0.0.1:1/comb
fails sql 'libpq.so.* is missing: install the package libpq'
expect 0 "$COMBD" --home "$COMB_HOME" --check
unset LD_LIBRARY_PATH
start_embedded_without_libraries() {
    local stores=() COMB_TEST_STORES=
    LD_LIBRARY_PATH=$TEST_TMPDIR/broken start_combd
    stop_combd
}
start_embedded_without_libraries

# What is for one process.
expect 1 "$COMBD" --home "$COMB_HOME" --cluster "${stores[@]}" --sql "sqlite:$TEST_TMPDIR/comb.db" --events mem: --docs "sqlite:$TEST_TMPDIR/docs.db"
says "--docs sqlite:$TEST_TMPDIR/docs.db is for one process only: give --docs mongodb://"
says "--sql sqlite:$TEST_TMPDIR/comb.db is for one process only: give --sql postgres://"
says "--events mem: is for one process only: give --events nats://"
case $output in *"--data"*) fail "a store that is shared is refused: $output" ;; esac
expect 2 "$COMBD" --home "$COMB_HOME" --check --cache oracle:x
says "redis://"
echo passed
