#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# audit_test.sh METHOD_RULES GRPCURL: comb audit, over a running combd: every method that changes something leaves the record that its
# rule says (a method that is not called here fails the test), refusals and log-ins too, and the trail is whole, here and as an
# export.
. tests/e2e/lib.sh

rules=$PWD/$1
grpcurl=$PWD/$2

start_combd
login_admin
T=$TEST_TMPDIR
printf 'one' >"$T/one"
printf 'correct horse battery' >"$T/password"

# ---- all that changes something ----

expect 0 comb mkdir /personal/a
expect 0 comb put "$T/one" /personal/a/one
expect 0 comb mv /personal/a/one /personal/a/two
expect 0 comb meta /personal/a/two user:colour=red
expect 0 comb user add ada --password-file "$T/password"
expect 0 comb user set ada --name Ada
expect 0 comb role add makers
expect 0 comb role set makers --label Makers
expect 0 comb user roles ada makers
expect 0 comb group add /staff
expect 0 comb group set /staff --label Staff
expect 0 comb user set ada --group /staff
expect 0 comb workspace add shared
expect 0 comb workspace set shared --label Shared --description "For all"
expect 0 comb grant /personal/a user:ada read
expect 0 comb grant /personal/a user:ada rw
expect 0 comb revoke /personal/a user:ada
expect 0 comb token add robot
expect 0 comb config set /x/y=1
expect 0 comb config rm /x/y
expect 0 comb vault put app/db --file "$T/one"
expect 0 comb vault rm app/db
expect 0 comb vault undelete app/db 1
expect 0 comb vault destroy app/db 1
expect 0 comb vault key add disk
expect 0 comb vault key rotate disk
expect 0 comb admin log-level --server "$admin" all=info
expect 0 comb lock /personal/a/two
lock=$(head -n 1 <<<"$output")
expect 0 comb lock --refresh "$lock" /personal/a/two
expect 0 comb unlock /personal/a/two "$lock"
expect 0 comb lock /personal/a/two
expect 0 comb unlock --break /personal/a/two
expect 0 comb rm --permanently /personal/a/two
expect 0 comb rm /personal/a
expect 0 comb user rm ada
expect 0 comb role rm makers
expect 0 comb group rm /staff

# field NAME: of the last answer in JSON, which has it once.
field() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/" <<<"$output"; }
# call SERVICE METHOD JSON
call() { expect 0 comb call "$1" "$2" --json "$3"; }
head -c 9000000 /dev/zero >"$T/parts"
token=$(comb token add streams --days 1 | head -n 1)
now=$(printf '%012x' "$(date +%s%3N)")
header="{\"requestId\": \"${now:0:8}-${now:8}-7000-8000-000000000001\",
    \"target\": {\"parent\": {\"path\": \"/personal\"}, \"name\": \"streamed\"}}"
expect 0 "$grpcurl" -plaintext -H "authorization: Bearer $token" -d "{\"header\": $header} {\"chunk\": \"eA==\"}" \
    "$server" comb.v1.Data/Upload
expect 0 comb put "$T/one" /personal/large
expect 0 comb put "$T/parts" /personal/parts
call Data StartUpload '{"target": {"parent": {"path": "/personal"}, "name": "never"}}'
expect 0 comb -o json uploads ls
call Data AbortUpload "{\"uploadId\": \"$(field id)\"}"
call Data StartUpload '{"target": {"parent": {"path": "/personal"}, "name": "piece"}}'
call Data PutPart "{\"uploadId\": \"$(field id)\", \"content\": \"eA==\"}"
expect 0 comb -o json stat /personal/large
large=$(field id)
expect 0 comb rm /personal/large
expect 0 comb restore "$large"
call Auth CreateToken '{"label": "short"}'
call Auth RevokeToken "{\"tokenId\": \"$(field tokenId)\"}"
call Search Reindex '{}'
# One of the server's own may be under way.
waited=0
until output=$(comb call Operations Start --json '{"kind": "data.sweep"}'); do
    [ "$waited" -lt 600 ] || fail "no sweep begins: $output"
    sleep 0.1
    waited=$((waited + 1))
done
operation=$(field id)
call Operations Cancel "{\"operationId\": \"$operation\"}"
comb operations wait "$operation" >/dev/null || true
call Operations Delete "{\"operationId\": \"$operation\"}"
call Registry Register '{"entry": {"service": "lamp", "id": "1", "addresses": ["127.0.0.1:1"]}, "ttlMs": 60000}'
call Registry Heartbeat '{"service": "lamp", "id": "1"}'
call Registry Deregister '{"service": "lamp", "id": "1"}'
call Events Publish '{"topic": "lamps.on", "payload": "eA=="}'
call Documents SetStore '{"name": "notes", "access": "DOCUMENT_ACCESS_PRIVATE"}'
call Documents DeclareIndex '{"store": "notes", "index": {"name": "by_title", "paths": ["/title"]}}'
call Documents Put '{"store": "notes", "id": "n1", "body": "{\"title\": \"one\"}"}'
call Documents Delete '{"store": "notes", "id": "n1"}'
call Documents DropIndex '{"store": "notes", "name": "by_title"}'
call Activities Follow '{"user": "admin"}'
call Activities Unfollow '{"user": "admin"}'
call Activities MarkRead '{}'
call Activities Purge '{"keep": "1000000"}'
expect 0 comb call Admin RetrySetAside --server "$admin" --json '{"consumer": "audit"}'
expect 0 comb admin backup --server "$admin" --key-file "$T/backup-key" "$T/backup"
expect 0 comb admin move-row --server "$admin" --abandon

# ---- what is refused ----

printf 'wrong' >"$T/wrong"
expect 4 comb --home "$T/other" login --user mallory --password-file "$T/wrong"

# Who looks for a node that he may not see is told that it is not there, and counted.
mkdir -m 700 "$T/eve"
expect 0 comb user add eve --password-file "$T/password"
expect 0 comb mkdir /personal/secret
secret=$(comb -o json stat /personal/secret | sed 's/.*"id":"\([^"]*\)".*/\1/')
eve() { COMB_HOME=$T/eve "$COMB" "$@"; }
expect 0 eve login --user eve --password-file "$T/password"
expect 3 eve stat "$secret"

# What came in is numbered, and counted refusals are written, soon.
recorded() { comb -o json audit ls -n 1000 >"$T/trail" && grep -q "$1" "$T/trail"; }
waited=0
until recorded '"login":"mallory"'; do
    [ "$waited" -lt 300 ] || fail "the refusal is not recorded: $(cat "$T/trail")"
    sleep 0.1
    waited=$((waited + 1))
done
grep '"method":"/comb.v1.Permissions/Grant"' "$T/trail" | grep -q '"before":"user:ada read","after":"user:ada read and write"' ||
    fail "the rights before and after are not there"
grep '"kind":"AUDIT_KIND_INTENT"' "$T/trail" | grep '/comb.v1.Config/Set"' | grep -q '"id":"/x/y"' ||
    fail "the intent does not say what was set"
grep '"kind":"AUDIT_KIND_REFUSAL"' "$T/trail" | grep '"login":"mallory"' | grep -q CREDENTIALS_INVALID ||
    fail "the refusal does not say why"

waited=0
until recorded '"hiddenCount":"1"'; do
    [ "$waited" -lt 300 ] || fail "a look for a hidden node is not recorded: $(cat "$T/trail")"
    sleep 0.1
    waited=$((waited + 1))
done
grep '"hiddenCount":"1"' "$T/trail" | grep '"login":"eve"' | grep -q '"method":"/comb.v1.Tree/Stat"' ||
    fail "it does not say who looked: $(grep hiddenCount "$T/trail")"
expect 0 eve -o json audit ls
says '"login":"eve"'
grep -q NODE_NOT_FOUND <<<"$output" && fail "eve is told of it: $output"

# Each intent has an outcome by then.
resolved() { comb -o json audit ls -n 1000 >"$T/trail" && ! grep -q AUDIT_RESULT_UNKNOWN "$T/trail"; }
waited=0
until resolved; do
    [ "$waited" -lt 300 ] || fail "an intent has no outcome: $(grep AUDIT_RESULT_UNKNOWN "$T/trail")"
    sleep 0.1
    waited=$((waited + 1))
done

# ---- finding ----

# By the index or, before that has come so far, by the trail: the answer is the same.
expect 0 comb audit --text 'wrong words'
[ -z "$output" ] || fail "found: $output"
expect 0 comb audit --text 'MOVE admin' -n 50
says 'Tree/Move'
expect 0 comb audit --text 'app db' --method Vault/ -n 50
says 'Vault/Put'
grep -v -q 'Vault/' <<<"$output" && fail "another service: $output"
expect 0 comb audit --node "$secret"
says 'Tree/CreateFolder'
expect 0 eve audit --text mallory
[ -z "$output" ] || fail "eve sees: $output"
expect 2 comb audit --text '***'
indexed() { comb admin consumers --server "$admin" | grep -qE '^audit\.index +held .*up to date'; }
waited=0
until indexed; do
    [ "$waited" -lt 300 ] || fail "the index stays behind: $(comb admin consumers --server "$admin")"
    sleep 0.1
    waited=$((waited + 1))
done
expect 0 comb -o json audit --text 'credentials invalid'
says '"login":"mallory"'
expect 0 comb audit reindex
expect 0 comb -o json audit --text 'credentials invalid'
says '"login":"mallory"'
expect 4 eve audit reindex

expect 0 comb audit --method Vault/ -n 3
[ "$(wc -l <<<"$output")" = 3 ] || fail "not three lines: $output"
says 'Vault/RotateKey'
expect 0 comb audit ls --result failed
says 'mallory'
expect 2 comb audit ls --result perhaps
expect 2 comb audit nothing

# ---- whole, here and elsewhere ----

expect 0 comb audit verify
says 'whole: '

# A session that is kept fresh, ended; and a replica that is drained by a call.
mkdir -m 700 "$T/short"
short() { COMB_HOME=$T/short "$COMB" "$@"; }
expect 0 short login --user admin --password-file "$COMB_HOME/admin"
refresh=$(grep -rho '"refresh_token": *"[^"]*"' "$T/short" | sed 's/.*: *"//; s/"$//')
call Auth Refresh "{\"refreshToken\": \"$refresh\"}"
expect 0 short login --user admin --password-file "$COMB_HOME/admin"
expect 0 short logout
expect 0 comb call Admin Drain --server "$admin" --json '{"delayMs": 0, "graceMs": 1000}'
wait "$combd_pid" || fail "combd ended with status $?"
start_combd
login_admin

# Each method has left what its rule says, and nothing is without a rule.
comb -o json audit ls -n 1000 >"$T/trail" || fail "no trail"
"$rules" >"$T/rules" || fail "a method has no rule"
[ "$(wc -l <"$T/rules")" -ge 50 ] || fail "too few methods: $(cat "$T/rules")"
sed -n 's|.*"kind":"AUDIT_KIND_\([A-Z]*\)".*"method":"/comb.v1.\([^"]*\)".*|\2 \1|p' "$T/trail" | sort -u >"$T/left"
# All of these are called above. What other services leave agrees with their rule; method_rule_test sees that they have one.
covered=' Activities Admin Auth Config Data Documents Events Identity Operations Permissions Registry Tree Vault Workspaces '
while read -r method rule; do
    kinds=$(awk -v method="$method" '$1 == method && $2 != "REFUSAL" { printf "%s%s", s, $2; s = " " }' "$T/left")
    case $covered in
    *" ${method%%/*} "*) ;;
    *) [ -n "$kinds" ] || continue ;;
    esac
    case $rule in
    CHANGE) wanted=CHANGE ;;
    AROUND) wanted="INTENT OUTCOME" ;;
    NONE) wanted= ;;
    *) fail "$method has no audit rule" ;;
    esac
    # What has ended by itself is cancelled without a change: chance.
    [ "$method" != Operations/Cancel ] || wanted=$kinds
    # Vault keeps its request ids in SQL.
    [ "$rule" != AROUND ] || kinds=${kinds#CHANGE }
    [ "$kinds" = "$wanted" ] || fail "$method has left \"$kinds\", not \"$wanted\": call it above, or look why"
done <"$T/rules"
expect 0 comb audit verify
says 'signed up to line '
comb audit key >"$T/key.pem" || fail "no key"
comb audit export >"$T/export" || fail "no export"
expect 0 comb audit verify --file "$T/export" --key "$T/key.pem"
sed '/^line 5 /d' "$T/export" >"$T/missing"
expect 1 comb audit verify --file "$T/missing" --key "$T/key.pem"
says 'line 5 is missing'
head -n 6 "$T/export" >"$T/cut"
expect 1 comb audit verify --file "$T/cut" --key "$T/key.pem"
says 'cut off from line 5 on'
sed '/^head /d' "$T/export" >"$T/headless"
expect 1 comb audit verify --file "$T/headless" --key "$T/key.pem"
expect 2 comb audit verify --file "$T/export"
expect 2 comb audit verify --file "$T/export" --key "$T/one"

# An older head put back in the configuration is found.
comb config get /audit/head >"$T/head" || fail "no head in the configuration"
expect 0 comb mkdir /personal/b
stop_combd
start_combd
login_admin
expect 0 comb config set "/audit/head=$(cat "$T/head")"
expect 1 comb audit verify
says 'was put back'
stop_combd
echo passed
