#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""python_client.py ADDRESS[,ADDRESS] PASSWORD-FILE FOLDER

What a program in Python does with Comb, by stubs made of api/ alone: logs in, puts a file, lists it, watches a folder.
Then prints "ready", waits for a line, in which time a server may go, and does it again. See docs/languages.md.
"""
import json
import os
import sys
import time
import uuid

import grpc
from comb.v1 import auth_pb2, auth_pb2_grpc, data_pb2, data_pb2_grpc, node_pb2, tree_pb2, tree_pb2_grpc

CALL_S = 30
# What did not reach a server, or was told to go to another one, goes to the next address.
SERVICE_CONFIG = json.dumps({
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [{
        "name": [{"service": "comb.v1.Tree"}, {"service": "comb.v1.Data"}, {"service": "comb.v1.Auth"}],
        "retryPolicy": {
            "maxAttempts": 5,
            "initialBackoff": "0.05s",
            "maxBackoff": "1s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        },
    }],
})


def uuid7():
    """A request id: 48 bits of milliseconds, the rest random but for the version and the variant (RFC 9562)."""
    value = bytearray(int(time.time() * 1000).to_bytes(6, "big") + os.urandom(10))
    value[6] = value[6] & 0x0F | 0x70
    value[8] = value[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(value)))


class Client:
    def __init__(self, addresses, password):
        channel = grpc.insecure_channel("ipv4:" + addresses, [("grpc.service_config", SERVICE_CONFIG)])
        self.tree = tree_pb2_grpc.TreeStub(channel)
        self.data = data_pb2_grpc.DataStub(channel)
        self.metadata = {}
        login = self.call(
            auth_pb2_grpc.AuthStub(channel).Login,
            auth_pb2.AuthLoginRequest(login="admin", password=password, label="python_client.py"))
        self.metadata["authorization"] = "Bearer " + login.tokens.access_token

    def call(self, method, request):
        """A call sees what the ones before it saw and wrote, whichever replica answers: it carries their token along."""
        response, call = method.with_call(request, metadata=list(self.metadata.items()), timeout=CALL_S)
        for key, value in call.initial_metadata():
            if key == "comb-token":
                self.metadata[key] = value
        return response

    def make_folder(self, path):
        self.call(
            self.tree.CreateFolder,
            tree_pb2.TreeCreateFolderRequest(
                request_id=uuid7(), parent=node_pb2.NodeRef(path="/personal"), name=path, exist_ok=True))

    def put(self, folder, name, content):
        request = data_pb2.DataPutRequest(
            request_id=uuid7(), content=content,
            target=data_pb2.UploadTarget(parent=node_pb2.NodeRef(path="/personal/" + folder), name=name))
        return self.call(self.data.Put, request).node

    def names(self, folder):
        names, token = [], ""
        while True:
            page = self.call(
                self.tree.List,
                tree_pb2.TreeListRequest(
                    folder=node_pb2.NodeRef(path="/personal/" + folder), page_size=2, page_token=token))
            names += [node.name for node in page.nodes]
            token = page.next_page_token
            if not token:
                return names

    def watch(self, folder):
        """What there is, then what happens."""
        return self.tree.Watch(
            tree_pb2.TreeWatchRequest(folder=node_pb2.NodeRef(path="/personal/" + folder), snapshot=True),
            metadata=list(self.metadata.items()), timeout=CALL_S)


def check(is_true, what):
    if not is_true:
        sys.exit("python_client.py: " + what)


def exercise(client, folder, files):
    """Puts two files, the second one while the folder is watched."""
    client.put(folder, files[0], b"one")
    events = client.watch(folder)
    for event in events:
        if event.WhichOneof("event") == "snapshot_end":
            break
        check(event.WhichOneof("event") == "present", "a snapshot holds what there is")
    node = client.put(folder, files[1], b"two")
    for event in events:
        if event.WhichOneof("event") == "change" and event.change.node.id == node.id:
            break
    else:
        check(False, "the watch ended before the change came")
    events.cancel()
    names = client.names(folder)
    check(set(files) <= set(names), "%s are not all in %s" % (files, names))


def main():
    addresses, password_file, folder = sys.argv[1:]
    with open(password_file, encoding="utf-8") as file:
        client = Client(addresses, file.read().strip())
    client.make_folder(folder)
    exercise(client, folder, ["a", "b"])
    print("ready", flush=True)
    sys.stdin.readline()
    exercise(client, folder, ["c", "d"])
    check(client.names(folder) == ["a", "b", "c", "d"], "nothing is there twice")
    print("done", flush=True)


main()
