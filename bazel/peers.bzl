# SPDX-License-Identifier: Apache-2.0
"""@peers: programs by others that tests use, as bazel/peers.sh installed them ($COMB_PEERS, ~/.cache/comb/peers).

`@peers//:buf`, `@peers//:grpcurl` and so on are the programs, `@peers//:python` is a Python that has the packages of
bazel/peers.txt. A target that uses one fails with the mending line when anything of the list is missing.
"""

# target -> path below the folder of peers
_PROGRAMS = {
    "buf": "python/bin/buf",
    "envoy": "python/bin/envoy",
    "grpcurl": "bin/grpcurl",
    "h2spec": "bin/h2spec",
    "interop_go_client": "bin/interop_go_client",
    "interop_go_server": "bin/interop_go_server",
    "python": "python/bin/python",
}

def _peers_impl(rctx):
    folder = rctx.os.environ.get("COMB_PEERS") or rctx.os.environ.get("HOME", "") + "/.cache/comb/peers"
    for line in rctx.read(Label("//bazel:peers.txt")).split("\n"):
        entry = [word for word in line.split("#")[0].split(" ") if word]
        if entry:
            mark = "%s/installed/%s-%s-%s" % (folder, entry[0], entry[1].replace("/", "_"), entry[2])
            if not rctx.path(mark).exists:
                fail("\n\n%s %s is not installed; run:\n  bazel/peers.sh\n" % (entry[1], entry[2]))
    build = ['package(default_visibility = ["//visibility:public"])']
    for name, path in _PROGRAMS.items():
        # A script and not a link: Python finds its virtual environment by the path it is called by.
        rctx.file("bin/" + name, '#!/bin/sh\nexec "%s/%s" "$@"\n' % (folder, path))
        build.append('filegroup(name = "%s", srcs = ["bin/%s"])' % (name, name))
    rctx.file("BUILD.bazel", "\n".join(build) + "\n", executable = False)

peers_repository = repository_rule(
    implementation = _peers_impl,
    configure = True,
    environ = ["COMB_PEERS", "HOME"],
    local = True,
)
