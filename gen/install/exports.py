#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""exports.py LIBRARY HEADER...: the version script of a shared library: the functions that its headers declare; of
libgrpcc also what its own generated code gives to the headers of others, and what its sister libraries share with it."""

import re
import sys

# Of the built-in .proto files: descriptors, names of enums, services.
GENERATED = ("google_protobuf_*", "google_rpc_*", "grpc_channelz_v1_*", "grpc_health_v1_*", "grpc_reflection_*")

# For libgrpcc_prometheus of the same version alone; no header that is installed declares them.
PRIVATE = ("grpcc_memory_*", "grpcc_options_copy", "grpcc_text_*")


def declared(text):
    """Names of the functions and objects that a header declares and does not define."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"^[ \t]*#(?:\\\n|.)*", "", text, flags=re.M)
    for name, after in re.findall(r"^[A-Za-z][\w \t\n*]*?\b(grpcc_\w+)\(([^;{]*[;{])", text, flags=re.M):
        if after.endswith(";"):
            yield name
    yield from re.findall(r"^extern [\w \t\n*]*?\b(grpcc_\w+)(?:\[\w*\])?;", text, flags=re.M)


def main():
    names = set()
    library = sys.argv[1]
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            names.update(declared(file.read()))
    print("%s_0 {\nglobal:" % library.upper())
    for name in sorted(names) + list(GENERATED if library == "libgrpcc" else ()):
        print("    %s;" % name)
    print("local:\n    *;\n};")
    if library == "libgrpcc":
        print("LIBGRPCC_PRIVATE {\nglobal:\n    %s;\n};" % ";\n    ".join(PRIVATE))


if __name__ == "__main__":
    main()
