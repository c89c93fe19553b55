#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# core_test.sh: what the kernel would write into a core file of combd holds none of the vault's secrets, nor its key: the
# memory of a running one is read, but for what is marked not to be dumped.
if [ -z "${COMB_TEST_OWN_USER:-}" ]; then
    # Reading the memory of a process that is not a child takes a right, which one has in a namespace of one's own.
    export COMB_TEST_OWN_USER=1
    exec unshare --user --map-current-user --keep-caps -- bash "$0" "$@"
fi
# shellcheck source=lib.sh
. tests/e2e/lib.sh

# core FILE: the dumpable memory of combd. A file by the kernel itself would depend on the machine's core_pattern.
core() {
    /usr/bin/python3 -c 'import re, sys
pid, out = sys.argv[1:]
area = None
with open("/proc/%s/smaps" % pid) as smaps, open("/proc/%s/mem" % pid, "rb", 0) as memory, open(out, "wb") as core:
    for line in smaps:
        match = re.match("([0-9a-f]+)-([0-9a-f]+) r", line)
        if match:
            area = [int(end, 16) for end in match.groups()]
        elif re.match("[0-9a-f]+-[0-9a-f]+ ", line):
            area = None
        elif line.startswith("VmFlags:") and area and not {"dd", "io", "pf"} & set(line.split()):
            try:
                memory.seek(area[0])
                core.write(memory.read(area[1] - area[0]))
            except (OSError, ValueError, OverflowError):
                print("not readable:", line, file=sys.stderr)' "$combd_pid" "$1"
    [ "$(stat -c %s "$1")" -gt 1000000 ] || fail "this is no core file"
}

# holds FILE SECRETFILE: whether the bytes of the second are in the first.
holds() {
    /usr/bin/python3 -c 'import sys
core, secret = (open(name, "rb").read() for name in sys.argv[1:])
sys.exit(secret not in core)' "$1" "$2"
}

# Longer than one block of any buffer, and not to be met by chance.
head -c 48 /dev/urandom | base64 -w 0 >"$TEST_TMPDIR/secret"
start_combd
login_admin
expect 0 comb vault put app/db --file "$TEST_TMPDIR/secret"
expect 0 comb vault key add disk
stop_combd

# Read at the start, and kept. What a call carries passes through the buffers of gRPC, which are not wiped.
start_combd
core "$TEST_TMPDIR/core"
printf '%s' "$COMB_HOME" >"$TEST_TMPDIR/known"
holds "$TEST_TMPDIR/core" "$TEST_TMPDIR/known" || fail "the core file does not hold what is no secret"
! holds "$TEST_TMPDIR/core" "$TEST_TMPDIR/secret" || fail "a secret is in the core file"
# The file has the key in hexadecimal digits.
/usr/bin/python3 -c 'import sys
sys.stdout.buffer.write(bytes.fromhex(open(sys.argv[1], encoding="ascii").read()))' "$COMB_HOME/vault.json.key" >"$TEST_TMPDIR/key"
! holds "$TEST_TMPDIR/core" "$TEST_TMPDIR/key" || fail "the key of the vault is in the core file"
stop_combd
echo passed
