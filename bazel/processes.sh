# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the commands that start servers: processes by name, each with a folder of that name below the working folder,
# in which lie its pid, its log, its port and its secrets. Needs lib.sh.

READY_SECONDS_MAX=60

# In a test of Bazel's, what bazel/peers.sh installed lies beside it. One command may start another, elsewhere.
if [ -n "${PEERS:-}" ]; then
    :
elif [ -d external/peers/bin ]; then
    PEERS=$(cd external/peers/bin && pwd)
else
    PEERS=${COMB_PEERS:-${HOME:-}/.cache/comb/peers}/bin
fi
export PEERS

# debian NAME: a program of a package of Debian's, also where that is not for users (/usr/sbin).
debian() {
    PATH=$PATH:/usr/sbin command -v "$1" || die "$1 is missing: bazel/test installs what is listed in bazel/apt-test.txt" 2
}

# peer NAME: a program that bazel/peers.sh installs.
peer() {
    [ -x "$PEERS/$1" ] || die "$1 is missing: bazel/peers.sh installs it" 2
    printf '%s' "$PEERS/$1"
}

# python_peer TARGET PROGRAM: a program of a Python package; in a test of Bazel's it lies by its target among the others.
python_peer() {
    local program=$PEERS/$1
    [ -x "$program" ] || program=${PEERS%/bin}/python/bin/$2
    [ -x "$program" ] || die "$2 is missing: bazel/peers.sh installs it" 2
    printf '%s' "$program"
}

# ---- processes ----

# is_running NAME: whether the process that NAME's file names is still the program that was started.
is_running() {
    local pid program
    [ -s "$1/pid" ] && { read -r pid program <"$1/pid" || true; } && [ -n "$program" ] &&
        [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$program" ]
}

# recognise NAME: remembers which program its process is, now that it answers; before it may have been a script.
recognise() {
    local pid
    read -r pid _ <"$1/pid"
    printf '%s %s\n' "$pid" "$(readlink "/proc/$pid/exe")" >"$1/pid"
}

# free_port: one that nobody has, that the kernel gives to no connection meanwhile, and that is remembered for nobody of the
# same installation who does not listen yet.
free_port() {
    python3 - */*port* stores/*/*port* ../*/*port* <<'END'
import random
import socket
import sys

taken = set()
for path in sys.argv[1:]:
    try:
        with open(path) as file:
            taken.add(int(file.read()))
    except (OSError, ValueError):
        pass

while True:
    port = random.randrange(10000, 20000)
    if port in taken:
        continue
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
END
}

# port NAME: the one that NAME had before, else a free one, remembered.
port() {
    [ -s "$1/port" ] || free_port >"$1/port"
    cat "$1/port"
}

# secret FILE: makes it at first, 32 letters and digits, for the owner alone.
secret() {
    [ -s "$1" ] || (umask 077 && head -c 512 /dev/urandom | LC_ALL=C tr -dc 'a-zA-Z0-9' | head -c 32 >"$1")
}

# spawn NAME PROGRAM ARGUMENTS...: in the background, with its output in NAME/log, and without the locks of the one who
# starts it, which are descriptors 8 and 9. AS_USER: before PROGRAM. A start that fails ends what it has spawned.
AS_USER=()
SPAWNED=()
spawn() {
    local name=$1
    shift
    setsid "${AS_USER[@]}" "$@" >>"$name/log" 2>&1 </dev/null 8>&- 9>&- &
    SPAWNED+=("$!")
    printf '%s\n' "$!" >"$name/pid"
    disown
}

# await NAME COMMAND...: until COMMAND succeeds.
await() {
    local name=$1 waited=0
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$waited" -lt $((READY_SECONDS_MAX * 10)) ] || die "$name does not answer after $READY_SECONDS_MAX s; see $PWD/$name/log"
        kill -0 "$(cut -d ' ' -f 1 "$name/pid")" 2>/dev/null || {
            tail -n 10 "$name/log" >&2
            die "$name ended (its last lines are above; all of them are in $PWD/$name/log)"
        }
        sleep 0.1
        waited=$((waited + 1))
    done
}

# listens PORT: whether somebody accepts connections there.
listens() {
    (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

