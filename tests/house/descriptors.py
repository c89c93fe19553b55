# SPDX-License-Identifier: Apache-2.0
"""Our .proto files as descriptors.  Needs Python's protobuf: run by @peers//:python."""

import os
import subprocess
import tempfile

from google.protobuf import descriptor_pb2

# Where our .proto files lie.
ROOTS = ("api", "gen/runtime/proto")


def compile_all(protoc, tree):
    """The FileDescriptorSet of all files below ROOTS, with what they import."""
    roots = [os.path.join(tree, r) for r in ROOTS]
    files = []
    for root in roots:
        for folder, _, names in os.walk(root, followlinks=True):
            files += [os.path.relpath(os.path.join(folder, n), root) for n in names if n.endswith(".proto")]
    with tempfile.NamedTemporaryFile(dir=os.environ.get("TEST_TMPDIR")) as out:
        subprocess.check_call([protoc] + ["-I" + r for r in roots] +
                              ["--include_imports", "--descriptor_set_out=" + out.name] + sorted(files))
        return descriptor_pb2.FileDescriptorSet.FromString(out.read())


def _field(field, oneofs):
    kind = field.type_name or descriptor_pb2.FieldDescriptorProto.Type.Name(field.type)[len("TYPE_"):].lower()
    text = "%d %s" % (field.number, kind)
    if field.label == field.LABEL_REPEATED:
        text += " repeated"
    if field.proto3_optional:
        text += " optional"
    elif field.HasField("oneof_index"):
        text += " in " + oneofs[field.oneof_index].name
    return text


def _messages(facts, messages, path):
    for message in messages:
        here = path + message.name
        facts["message " + here] = {f.name: _field(f, message.oneof_decl) for f in message.field}
        _enums(facts, message.enum_type, here + ".")
        _messages(facts, message.nested_type, here + ".")


def _enums(facts, enums, path):
    for enum in enums:
        facts["enum " + path + enum.name] = {v.name: str(v.number) for v in enum.value}


def _streams(method):
    return ("stream " if method.client_streaming else "") + method.input_type, \
        ("stream " if method.server_streaming else "") + method.output_type


def facts_of(file):
    """What of a file is on the wire or in the ABI: container -> {name: fact}, in order of declaration."""
    facts = {}
    path = file.package + "."
    _messages(facts, file.message_type, path)
    _enums(facts, file.enum_type, path)
    for extension in file.extension:
        facts.setdefault("extend " + extension.extendee, {})[path + extension.name] = _field(extension, [])
    for service in file.service:
        facts["service " + path + service.name] = {m.name: "%s -> %s" % _streams(m) for m in service.method}
    return facts
