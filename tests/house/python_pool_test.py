# SPDX-License-Identifier: Apache-2.0
"""Our descriptors live beside googleapis-common-protos and grpcio-health-checking in one Python process.

usage: python_pool_test.py PROTOC TREE

Python has one pool of descriptors a process, and one file of a path in it. Own definitions of protocol files (status,
health, annotations) keep upstream's path, so that a program that has upstream's modules uses those: then all that is
ours must build on them, and what we define ourselves must be the same on the wire.
"""

import os
import sys
import unittest

import google.api.annotations_pb2  # noqa: F401: fills the pool, as a program of a user's would
import google.rpc.error_details_pb2  # noqa: F401
import google.rpc.status_pb2  # noqa: F401
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2  # noqa: F401

from descriptors import compile_all, facts_of


def differences(ours, theirs):
    """What of ours is not the same in theirs, which may have more."""
    have = facts_of(theirs)
    return ["%s.%s: ours %s, upstream %s" % (container, name, fact, have.get(container, {}).get(name))
            for container, facts in facts_of(ours).items() for name, fact in facts.items()
            if have.get(container, {}).get(name) != fact]


def upstream_of(pool, file):
    """The file that upstream's modules brought for this one, or None: of the same path, or, as Python's package of
    the health service has a path of its own, of the same messages."""
    for find, name in [(pool.FindFileByName, file.name)] + [
            (pool.FindFileContainingSymbol, "%s.%s" % (file.package, m.name)) for m in file.message_type]:
        try:
            known = find(name)
        except KeyError:
            continue
        theirs = descriptor_pb2.FileDescriptorProto()
        known.CopyToProto(theirs)
        return theirs
    return None


class PoolTest(unittest.TestCase):
    protoc = tree = None

    def test_beside_upstream(self):
        pool = descriptor_pool.Default()
        loaded, compared = [], []
        for file in compile_all(self.protoc, self.tree).file:
            theirs = upstream_of(pool, file)
            if theirs is None:
                pool.AddSerializedFile(file.SerializeToString())
                loaded.append(file.name)
                continue
            if file.name.startswith("google/protobuf/"):
                continue  # protoc's own, neither ours nor theirs
            self.assertEqual(differences(file, theirs), [], file.name)
            compared.append(file.name)
        self.assertTrue(any(n.startswith("comb/v1/") for n in loaded), loaded)
        self.assertIn("google/api/http.proto", compared)
        self.assertIn("grpc/health/v1/health.proto", compared)
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
