#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# comb against combd: each verb as a person would use it, with what it says and its exit status.
. tests/e2e/lib.sh

start_combd --log all=info
expect 4 comb ls /personal
says "comb login"
login_admin
expect 0 comb whoami
says admin
says administrator

# Folders and files.
expect 0 comb mkdir -p /personal/a/b/c
expect 5 comb mkdir /personal/a
says NAME_TAKEN
expect 0 comb mkdir -p /personal/a/b/c
printf 'hello, world\n' >"$TEST_TMPDIR/hello.txt"
expect 0 comb put "$TEST_TMPDIR/hello.txt" /personal/a/
expect 0 comb cat /personal/a/hello.txt
[ "$output" = 'hello, world' ] || fail "cat gave $output"
expect 0 comb ls /personal/a
says hello.txt
says b/
expect 0 comb ls -l /personal/a
says 13
expect 0 comb tree /personal
says '3 folders, 1 files'
expect 0 comb stat /personal/a/hello.txt
says 'text/plain'
says '13 bytes'
expect 3 comb stat /personal/nothing
says NODE_NOT_FOUND
expect 2 comb stat /personal/../x
says PATH_INVALID
expect 2 comb stat nonsense
expect 0 comb -o json stat /personal/a/hello.txt
says '"size":"13"'

# Rename, move, delete, restore.
expect 0 comb mv /personal/a/hello.txt /personal/a/b
expect 0 comb mv /personal/a/b/hello.txt /personal/a/greeting.txt
expect 3 comb stat /personal/a/hello.txt
expect 5 comb mv /personal/a /personal/a/b
says MOVE_INTO_SELF
expect 0 comb rm /personal/a/greeting.txt
id=$(printf '%s' "$output" | sed -n 's/.*comb restore \([0-9a-f-]*\).*/\1/p')
expect 3 comb stat /personal/a/greeting.txt
expect 0 comb restore "$id"
expect 0 comb cat /personal/a/greeting.txt
expect 0 comb meta /personal/a/greeting.txt user:colour=green
says 'user:colour'
says green

# Trees, there and back.
mkdir -p "$TEST_TMPDIR/tree/deep/er" "$TEST_TMPDIR/tree/empty"
head -c 3000000 /dev/urandom >"$TEST_TMPDIR/tree/deep/big"
: >"$TEST_TMPDIR/tree/deep/er/nothing"
printf x >"$TEST_TMPDIR/tree/with space and ünïcode"
ln -s deep/big "$TEST_TMPDIR/tree/link"
ln -s . "$TEST_TMPDIR/tree/loop"
ln -s nowhere "$TEST_TMPDIR/tree/dangling"
expect 7 comb put -r "$TEST_TMPDIR/tree" /personal/tree
says loop
says dangling
expect 7 comb put -r "$TEST_TMPDIR/tree" /personal/tree/
expect 0 comb get -r /personal/tree "$TEST_TMPDIR/back"
rm "$TEST_TMPDIR/tree/loop" "$TEST_TMPDIR/tree/dangling"
cp -rL "$TEST_TMPDIR/tree" "$TEST_TMPDIR/copy"
rm -rf "$TEST_TMPDIR/back/tree"
diff -r "$TEST_TMPDIR/copy" "$TEST_TMPDIR/back" || fail "what came back is not what was sent"

# Users, roles, rights.
printf 'correct horse battery\n' >"$TEST_TMPDIR/password"
expect 0 comb user add alice --password-file "$TEST_TMPDIR/password" --name 'Alice A.'
expect 5 comb user add alice --password-file "$TEST_TMPDIR/password"
says LOGIN_TAKEN
expect 0 comb role add staff
expect 0 comb user roles alice staff
expect 0 comb user ls
says alice
expect 0 comb workspace add common --default none
alice() {
    COMB_HOME=$TEST_TMPDIR/alice "$COMB" "$@"
}
mkdir -m 700 "$TEST_TMPDIR/alice"
expect 0 alice login --user alice --password-file "$TEST_TMPDIR/password"
expect 3 alice ls /common
expect 0 comb grant /common role:staff read
expect 0 alice ls /common
expect 4 alice mkdir /common/x
says RIGHT_MISSING
expect 0 comb check /common read --user alice
says yes
expect 4 comb check /common write --user alice
expect 0 comb rights /common
says read
expect 0 comb revoke /common role:staff
expect 3 alice ls /common
expect 0 comb group add /staff --label Staff
expect 0 comb group add /staff/berlin
expect 5 comb group add /staff/berlin
says GROUP_TAKEN
expect 0 comb grant /common group:/staff read
expect 3 alice ls /common
expect 0 comb user set alice --group /staff/berlin
expect 0 comb user ls --group /staff/berlin
says alice
expect 0 alice ls /common
expect 0 comb rights /common
says group:
expect 0 comb check /common read --user alice
says group:
expect 0 comb group ls /staff
says /staff/berlin
expect 5 comb group rm /staff
says GROUP_NOT_EMPTY
expect 0 comb group set /staff/berlin --parent /
expect 3 alice ls /common
expect 0 comb group set /berlin --parent /staff --name nord
expect 0 alice ls /common
expect 0 comb group show /staff/nord
expect 0 comb group rm -r /staff
expect 3 comb group show /staff
expect 3 alice ls /common
expect 4 alice user add mallory --no-password
says ADMINISTRATOR_ONLY

# Tokens, log-out, administration.
expect 0 comb token add script --days 1
expect 0 comb admin info --server "$admin"
says "  sql  "
expect 0 alice logout
expect 4 alice whoami

# The same after a restart.
stop_combd
start_combd --log all=info
expect 0 comb cat /personal/a/greeting.txt
[ "$output" = 'hello, world' ] || fail "after the restart cat gave $output"
stop_combd
echo passed
