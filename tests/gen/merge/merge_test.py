# SPDX-License-Identifier: Apache-2.0
"""merge_test.py TOOL PROTO: random messages whose sub-messages come more than once, also as members of oneofs, must mean to
us what they mean to Python's protobuf."""

import os
import random
import struct
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

MESSAGES, FIELDS_MAX, DEPTH_MAX, SEED = 5000, 6, 4, 20261122
REFUSED = 0xffffffff

NUMBERS, TEXTS = (1, 3, 7, 14, 30), (2, 8, 10, 13, 15, 16, 17)
TREES = (4, 4, 4, 5, 9, 9, 9, 11, 11, 12, 12, 12)  # what may be merged comes often


def tree_class(proto):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "set")
        if protoc.main(["protoc", "-I" + os.path.dirname(proto), "--descriptor_set_out=" + out, proto]):
            sys.exit("protoc failed")
        with open(out, "rb") as file:
            files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(files.file[0])
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("corpus.merge.Tree"))


def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def block(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def message(chance, depth=0):
    out = b""
    for _ in range(chance.randrange(FIELDS_MAX)):
        field = chance.choice(NUMBERS + TEXTS + TREES + (6,))
        if field in NUMBERS:
            out += varint(field << 3) + varint(chance.randrange(3))
        elif field in TEXTS:
            out += block(field, chance.choice([b"", b"x", b"yy"]))
        elif field == 6:
            entry = b"".join(block(2, message(chance, depth + 1)) for _ in range(chance.randrange(3)))
            out += block(6, block(1, chance.choice([b"", b"k"])) + (entry if depth < DEPTH_MAX else b""))
        else:
            out += block(field, message(chance, depth + 1) if depth < DEPTH_MAX else b"")
    return out


def main():
    tool, proto = sys.argv[1:]
    tree, chance = tree_class(proto), random.Random(SEED)
    messages = [message(chance) for _ in range(MESSAGES)]
    answers = subprocess.run([tool], input=b"".join(struct.pack("=I", len(m)) + m for m in messages),
                             stdout=subprocess.PIPE, check=True).stdout
    at = failed = 0
    for sent in messages:
        size, = struct.unpack_from("=I", answers, at)
        at += 4
        if size == REFUSED:
            print("refused: %s" % sent.hex())
            failed += 1
            continue
        if tree.FromString(answers[at:at + size]) != tree.FromString(sent):
            print("not the same: %s" % sent.hex())
            failed += 1
        at += size
    print("%d of %d differ" % (failed, MESSAGES))
    sys.exit(failed > 0 or at != len(answers))


main()
