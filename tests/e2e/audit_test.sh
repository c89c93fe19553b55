#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# comb audit, over a running combd: every method that changes something leaves a record, refusals and log-ins too, and the
# trail is whole, here and as an export.
. tests/e2e/lib.sh

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
expect 0 comb workspace add shared
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
expect 0 comb rm --permanently /personal/a/two
expect 0 comb rm /personal/a
expect 0 comb user rm ada
expect 0 comb role rm makers

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
for method in Tree/CreateFolder Tree/Move Tree/SetMetadata Tree/Delete Identity/CreateUser Identity/UpdateUser \
    Identity/SetRoles Identity/DeleteUser Identity/CreateRole Identity/UpdateRole Identity/DeleteRole Workspaces/Create \
    Permissions/Grant Permissions/Revoke Auth/Login Auth/CreateToken Config/Set Config/Delete Vault/Put Vault/Delete \
    Vault/Undelete Vault/Destroy Vault/CreateKey Vault/RotateKey Admin/SetLogLevel; do
    grep -q "\"method\":\"/comb.v1.$method\"" "$T/trail" || fail "$method left no record: $(cat "$T/trail")"
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
stop_combd
start_combd
login_admin
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
