#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_test.sh TREE: the script bazel/run with stand-ins for Bazel, combd and comb: what it asks them for, what it says
# when they fail, and that nothing is left running.
set -euo pipefail

cd "$TEST_TMPDIR"
mkdir -p fake bazel-bin/server bazel-bin/client/cli folder
cp -rL "$OLDPWD/$1/bazel" bazel
touch folder/file
export COMB_HOME=$TEST_TMPDIR/home CALLS=$TEST_TMPDIR/calls
export PATH=$TEST_TMPDIR/fake:/usr/bin:/bin

fake() {
    cat >"$1"
    chmod +x "$1"
}
fake fake/bazel <<'END'
#!/bin/sh
echo "bazel $*" >>"$CALLS"
END
fake fake/dpkg-query <<'END'
#!/bin/sh
printf '%s' "${FAKE_PACKAGES-installed}"
END
fake fake/id <<'END'
#!/bin/sh
echo 1000
END
fake bazel-bin/client/cli/comb <<'END'
#!/bin/sh
echo "comb $*" >>"$CALLS"
case " ${FAKE_COMB_FAILS-} " in *" $1 "*) echo "$1 fails" && exit 1 ;; esac
END
fake bazel-bin/server/combd <<'END'
#!/usr/bin/env bash
echo "combd $*" >>"$CALLS"
echo $$ >"$COMB_HOME/pid"
trap 'echo combd ended >>"$CALLS"; exit 0' TERM
while [ $# -gt 0 ]; do
    case $1 in
    --ready-file) ready=$2 ;;
    --refuse) echo "cannot listen: address in use"; exit 3 ;;
    esac
    shift
done
printf 'admin=127.0.0.1:7071\nlisten=127.0.0.1:7070\n' >"$ready.new"
mv "$ready.new" "$ready"
while :; do sleep 0.05; done
END

fail() {
    echo "FAILED: $1"
    cat out calls 2>/dev/null
    exit 1
}

# run EXPECTED-STATUS ARGUMENT...: output in out.
run() {
    local expected=$1 status=0
    shift
    rm -f calls
    bazel/run "$@" >out 2>&1 || status=$?
    [ "$status" = "$expected" ] || fail "bazel/run $*: status $status, not $expected"
    ! kill -0 "$(cat "$COMB_HOME/pid" 2>/dev/null || echo 999999)" 2>/dev/null || fail "bazel/run $*: combd still runs"
}
says() { grep -qF -- "$1" out || fail "no '$1' in the output"; }
called() { grep -qF -- "$1" calls || fail "no call '$1'"; }

run 0 folder --once
called "bazel build --config=opt //server:combd //server/extract/worker:comb-extract //client/cli:comb"
called "combd --home $COMB_HOME --listen 127.0.0.1:7070 --ready-file"
called "comb login --server 127.0.0.1:7070 --user admin --password-file $COMB_HOME/admin"
called "comb import $TEST_TMPDIR/folder /personal/folder"
called "combd ended"
[ "$(stat -c %a "$COMB_HOME")" = 700 ] || fail "COMB_HOME is open to others"

run 0 --once folder -- --listen 127.0.0.1:9 --x-y
grep -qE 'combd .* --ready-file [^ ]+ --extract-program [^ ]+/comb-extract --listen 127.0.0.1:9 --x-y$' calls || fail "flags of combd"

git init -q .
git add folder
run 0 --once
grep -qE "comb import --files-from [^ ]+ $TEST_TMPDIR /personal/$(basename "$TEST_TMPDIR")$" calls || fail "tracked files"

run 1 folder --once -- --refuse
says "cannot listen: address in use"
says "combd ended with status 3"

FAKE_COMB_FAILS="login whoami" run 1 folder --once
says "login fails"
says "logging in as admin"
FAKE_COMB_FAILS=login run 0 folder --once
called "comb whoami"
run 0 folder --once -- --admin-password-file secret
called "--user admin --password-file secret"
FAKE_COMB_FAILS=import run 1 folder --once
called "combd ended"

run 2 no-such-folder
says "no-such-folder is no folder"
run 2 --what
says "usage: bazel/run"
run 0 --help
says "bazel/run [DIR] [--once]"

FAKE_PACKAGES='' run 2 folder --once
says "apt-get install -y --no-install-recommends bazel-bootstrap"

# Served until it is asked to stop, then it ends well and takes combd with it.
rm -f calls
bazel/run folder >out 2>&1 &
script=$!
for _ in $(seq 600); do
    ! grep -q "^Ready. Ctrl-C stops.$" out || break
    sleep 0.05
done
says "Ready. Ctrl-C stops."
kill -TERM "$script"
wait "$script" || fail "ended with status $?"
called "combd ended"
echo "bazel/run does what it says"
