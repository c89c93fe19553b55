#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_test.sh: `combd --check` over real stores: what is wrong is said in one line of its row that tells what to do,
# the other rows are fine, and the exit status is 1. `--cluster` names every row that is for one process.
# shellcheck source=lib.sh
. tests/e2e/lib.sh
# shellcheck source=certificates.sh
. tests/e2e/certificates.sh

fronts=()
end_fronts() {
    [ ${#fronts[@]} = 0 ] || kill -KILL "${fronts[@]}" 2>/dev/null || true
    cleanup
}
trap end_fronts EXIT

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

# Vault and MongoDB behind TLS: certificates that are good, by another authority, and expired; and TLS to a server that
# does not speak it.
mkdir "$TEST_TMPDIR/certificates"
in_certificates() {
    cd "$TEST_TMPDIR/certificates"
    "$@"
    cd "$OLDPWD"
}
in_certificates certificates
port_of() {
    local port=${1#*://*:}
    printf '%s' "${port%%[/?]*}"
}
# check_tls ROW URL: PORT stands in it where the port comes.
check_tls() {
    local row=$1 url=$2 certificate port ca=$TEST_TMPDIR/certificates
    for certificate in good expired; do
        in_certificates front "$certificate" "$(port_of "$(value "--$row")")"
        fronts+=("$!")
        port=$front_port
        if [ "$certificate" = good ]; then
            check 0 "--$row" "${url/PORT/$port}&ca=$ca/known.pem"
            check 1 "--$row" "${url/PORT/$port}&ca=$ca/unknown.pem"
            fails "$row" 'certificate|authority|verify'
        else
            check 1 "--$row" "${url/PORT/$port}&ca=$ca/known.pem"
            fails "$row" expired
        fi
    done
    check 1 "--$row" "${url/PORT/$(port_of "$(value "--$row")")}&ca=$ca/known.pem"
    fails "$row" 'TLS'
}
check_tls vault 'vault://127.0.0.1:PORT/kv?tls=1'
check_tls docs 'mongodb://127.0.0.1:PORT/comb?tls=on'

# Redis behind TLS: the library that Debian has speaks none.
check 1 --cache rediss://127.0.0.1:1
fails cache 'hiredis.*TLS.*proxy'

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
# Each of them alone, by its own name; then all, since what is not given is embedded.
one_process() {
    local row=$1 url=$2 instead=$3
    expect 1 "$COMBD" --home "$COMB_HOME" --cluster "${stores[@]}" "--$row" "$url"
    says "--$row $url is for one process only: give --$row $instead"
    [ "$(grep -c 'is for one process only' <<<"$output")" = 1 ] || fail "more than $row is refused: $output"
}
one_process sql "sqlite:$TEST_TMPDIR/comb.db" postgres://
one_process config "json:$TEST_TMPDIR/config.json" etcd://
one_process vault "json:$TEST_TMPDIR/vault.json" vault://
one_process docs "sqlite:$TEST_TMPDIR/docs.db" mongodb://
one_process cache mem: redis://
one_process registry mem: etcd://
one_process events mem: nats://
one_process data "files:$TEST_TMPDIR/data" s3://
expect 1 "$COMBD" --home "$COMB_HOME" --cluster
[ "$(grep -c 'is for one process only' <<<"$output")" = 8 ] || fail "not all of eight rows are refused: $output"
expect 2 "$COMBD" --home "$COMB_HOME" --check --cache oracle:x
says "redis://"
echo passed
