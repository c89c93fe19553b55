# SPDX-License-Identifier: Apache-2.0
"""Our descriptors live beside googleapis-common-protos and grpcio-health-checking in one Python process.

usage: python_pool_test.py PROTOC TREE

Python has one pool of descriptors a process, and one file of a path in it. Own definitions of protocol files (status,
health, annotations) keep upstream's path, so that a program that has upstream's modules uses those: then all that is
ours must build on them, and what we define ourselves must be the same on the wire.
"""

import os
import subprocess
import sys
import tempfile
import unittest

import google.api.annotations_pb2  # noqa: F401: fills the pool, as a program of a user's would
import google.rpc.error_details_pb2  # noqa: F401
import google.rpc.status_pb2  # noqa: F401
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2  # noqa: F401

# Where our .proto files lie.
ROOTS = ("api", "gen/runtime/proto")


def compile_all(protoc, tree):
    roots = [os.path.join(tree, r) for r in ROOTS if os.path.isdir(os.path.join(tree, r))]
    files = []
    for root in roots:
        for folder, _, names in os.walk(root, followlinks=True):
            files += [os.path.relpath(os.path.join(folder, n), root) for n in names if n.endswith(".proto")]
    with tempfile.NamedTemporaryFile(dir=os.environ.get("TEST_TMPDIR")) as out:
        subprocess.check_call([protoc] + ["-I" + r for r in roots] +
                              ["--include_imports", "--descriptor_set_out=" + out.name] + sorted(files))
        return descriptor_pb2.FileDescriptorSet.FromString(out.read())


def shape(message, prefix=""):
    """What of a message is on the wire: names, numbers, types, labels, oneofs, by path."""
    facts = {}
    path = prefix + message.name
    for field in message.field:
        oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else None
        facts["%s.%s" % (path, field.name)] = (field.number, field.type, field.label, field.type_name, oneof)
    for enum in message.enum_type:
        facts.update(enum_shape(enum, path + "."))
    for nested in message.nested_type:
        facts.update(shape(nested, path + "."))
    return facts


def enum_shape(enum, prefix=""):
    return {"%s%s.%s" % (prefix, enum.name, v.name): v.number for v in enum.value}


def file_shape(file):
    facts = {}
    for message in file.message_type:
        facts.update(shape(message))
    for enum in file.enum_type:
        facts.update(enum_shape(enum))
    for extension in file.extension:
        facts["extend." + extension.name] = (extension.number, extension.type, extension.type_name, extension.extendee)
    for service in file.service:
        for method in service.method:
            facts["%s/%s" % (service.name, method.name)] = (
                method.input_type, method.output_type, method.client_streaming, method.server_streaming)
    return facts


def differences(ours, theirs):
    have = file_shape(theirs)
    return ["%s: ours %s, upstream %s" % (name, fact, have.get(name))
            for name, fact in sorted(file_shape(ours).items()) if have.get(name) != fact]


class PoolTest(unittest.TestCase):
    protoc = tree = None

    def test_beside_upstream(self):
        pool = descriptor_pool.Default()
        loaded, compared = [], []
        for file in compile_all(self.protoc, self.tree).file:
            try:
                known = pool.FindFileByName(file.name)
            except KeyError:
                pool.AddSerializedFile(file.SerializeToString())
                loaded.append(file.name)
                continue
            if file.name.startswith("google/protobuf/"):
                continue  # protoc's own, neither ours nor theirs
            theirs = descriptor_pb2.FileDescriptorProto()
            known.CopyToProto(theirs)
            self.assertEqual(differences(file, theirs), [], file.name)
            compared.append(file.name)
        self.assertTrue(any(n.startswith("comb/v1/") for n in loaded), loaded)
        self.assertIn("google/api/http.proto", compared)
        for name in loaded:
            for service in pool.FindFileByName(name).services_by_name.values():
                for method in service.methods:
                    self.assertIsNotNone(method.input_type.full_name)

    def test_a_changed_number_is_seen(self):
        theirs = descriptor_pb2.FileDescriptorProto()
        descriptor_pool.Default().FindFileByName("google/rpc/status.proto").CopyToProto(theirs)
        ours = descriptor_pb2.FileDescriptorProto()
        ours.CopyFrom(theirs)
        self.assertEqual(differences(ours, theirs), [])
        ours.message_type[0].field[0].number = 9
        self.assertEqual(len(differences(ours, theirs)), 1)


if __name__ == "__main__":
    PoolTest.tree = sys.argv.pop()
    PoolTest.protoc = os.path.abspath(sys.argv.pop())
    unittest.main()
