# SPDX-License-Identifier: Apache-2.0
"""json_peer_test.py POOL TOOL: for each line "MESSAGE FILE" of standard input, JSON both ways beside Python's protobuf."""

import subprocess
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory


def run(tool, name, form, data):
    done = subprocess.run([tool, name, form], input=data, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} {form}: {done.stderr.decode()}\n{data!r}")
    return done.stdout


def main():
    pool = descriptor_pool.DescriptorPool()
    with open(sys.argv[1], "rb") as file:
        for proto in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
            pool.Add(proto)
    tool, checked = sys.argv[2], 0
    for line in sys.stdin:
        name, path = line.split()
        kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
        with open(path, "rb") as file:
            data = file.read()
        want = kind.FromString(data)

        ours = run(tool, name, "to-json", data).decode()
        got = json_format.Parse(ours, kind(), descriptor_pool=pool)
        assert got == want, f"{name}: Python reads our JSON as another message\n{ours}\n{got}\n{want}"

        for names in (False, True):
            theirs = json_format.MessageToJson(want, preserving_proto_field_name=names, descriptor_pool=pool)
            back = kind.FromString(run(tool, name, "from-json", theirs.encode()))
            assert back == want, f"{name}: we read Python's JSON as another message\n{theirs}\n{back}\n{want}"
        print("ok", name, ours)
        checked += 1
    assert checked > 20, checked


main()
