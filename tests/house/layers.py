# SPDX-License-Identifier: Apache-2.0
"""The layer rule: who may include whom.

core <- contract <- domain <- handler <- main; core <- backend <- driver; contract <- driver <- main.

What a file is follows from where it lies and what it is called; docs/architecture.md explains it to people.
"""

import re

from tree import C_FILES, Finding

_INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')

# layer -> layers that it may include; "own" narrows to the same area. mutation and facts are what every area of the
# SQL row shares (the guarded write, the remembered nodes); they stand on backend/sql and know no area.
ALLOWED = {
    "core": {"core"},
    "contract": {"core", "contract", "mutation", "facts"},
    # backend/http: what the backends and drivers of stores that speak HTTP stand on.
    "transport": {"core", "transport"},
    "backend": {"core", "transport", "backend own"},
    "mutation": {"core", "contract", "backend", "mutation"},
    # server/move: all rows by their contracts and, for the sql row, by the tables themselves.
    "move": {"core", "contract", "backend", "move"},
    "driver": {"core", "contract own", "transport", "backend", "mutation", "facts", "driver own"},
    "facts": {"core", "contract", "backend", "mutation", "facts"},
    "domain": {"core", "contract", "domain", "mutation", "facts"},
    "rpc": {"core", "contract", "domain", "mutation", "facts", "rpc"},
    "handler": {"core", "contract own", "domain own", "handler own", "move own", "rpc"},
    "main": {"core", "contract", "backend", "mutation", "driver", "facts", "domain", "move", "rpc", "handler", "main"},
}
SHARED = {"core", "mutation", "facts", "rpc"}

# What core may take from the runtime.
CORE_FROM_GRPCC = {"grpcc/arena.h", "grpcc/compiler.h", "grpcc/wkt.h"}


def layer_of(path):
    """(layer, area) of a file below server/, by its place and name."""
    parts = path.split("/")
    if len(parts) == 2:
        return "main", None
    area, name = parts[1], parts[-1]
    if area in SHARED:
        return area, None
    if area == "backend" and parts[2] in ("http", "tls"):
        return "transport", None
    if area == "backend":
        return "backend", parts[2]
    if "driver" in parts[2:-1]:
        return "driver", area
    # The docs row is a connection layer: areas stand on it as on backend/sql.
    if area == "docs":
        return "backend", area
    stem = name.rsplit(".", 1)[0]
    if stem.endswith(("_store", "_driver")):
        return "contract", area
    if stem.endswith("_rpc"):
        return "handler", area
    return ("move" if area == "move" else "domain"), area


def is_test(path):
    return path.endswith("_test.c") or "/testing/" in path


def _in_server(path, target):
    layer, area = layer_of(path)
    to_layer, to_area = layer_of(target)
    allowed = ALLOWED[layer]
    if to_layer in allowed or (to_layer + " own" in allowed and to_area == area):
        return None
    if to_layer + " own" in allowed:
        return "a %s of %s may not include the %s of %s" % (layer, area, to_layer, to_area)
    return "%s may not include %s" % (layer, to_layer)


def _judge(path, target, quoted):
    top = path.split("/")[0]
    to_top = target.split("/")[0] if quoted else None
    if top == "gen" and to_top in ("server", "client", "api", "tests"):
        return "gen/ includes nothing of %s/" % to_top
    if top == "client" and to_top in ("server", "tests"):
        return "client/ includes nothing of %s/" % to_top
    if top != "server":
        return None
    if to_top in ("client", "tests"):
        return "server/ includes nothing of %s/" % to_top
    if layer_of(path)[0] == "core" and (target.startswith("grpc/") or
                                        (target.startswith("grpcc/") and target not in CORE_FROM_GRPCC)):
        return "core uses only the arena and the well-known types of grpcc"
    if to_top == "server":
        return _in_server(path, target)
    return None


def check_layers(tree):
    """Includes obey the layers; unit tests may reach for what they test with."""
    for path in tree.paths(C_FILES):
        if is_test(path):
            continue
        for number, line in enumerate(tree.lines(path), 1):
            match = _INCLUDE.match(line)
            if not match:
                continue
            complaint = _judge(path, match.group(2), match.group(1) == '"')
            if complaint:
                yield Finding(path, number, "%s: %s" % (match.group(2), complaint))


_GRPC_NAME = re.compile(r"\bgrpc_\w+|\bGRPC_\w+")


def check_public_headers(tree):
    """No type of gRPC core in a header that programs outside include (DESIGN: the manners of libcomb)."""
    for path in tree.paths((".h",)):
        if not path.startswith("client/include/"):
            continue
        for number, line in enumerate(tree.code_lines(path), 1):
            match = _GRPC_NAME.search(line)
            if match:
                yield Finding(path, number, "%s in a public header" % match.group(0))
