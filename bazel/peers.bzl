# SPDX-License-Identifier: Apache-2.0
"""@peers: programs by others that tests use, as bazel/peers.sh installed them ($COMB_PEERS, ~/.cache/comb/peers).

`@peers//:buf`, `@peers//:grpcurl` and so on are the programs, `@peers//:python` is a Python that has the packages of
bazel/peers.txt, `@peers//:node` a Node likewise. A target that uses one fails with the mending line when anything of the list is missing.
"""

# target -> path below the folder of peers
_PROGRAMS = {
    "buf": "python/bin/buf",
    "envoy": "python/bin/envoy",
    "etcd_3_6": "bin/etcd_3_6",
    "go_client": "bin/go_client",
    "grpcurl": "bin/grpcurl",
    "h2spec": "bin/h2spec",
    "interop_go_client": "bin/interop_go_client",
    "interop_go_server": "bin/interop_go_server",
    "python": "python/bin/python",
    "secantusd": "python/bin/secantusd-py",
    "vault_slim": "bin/vault_slim",
    "versitygw": "bin/versitygw",
    "weed": "python/bin/weed",
}

# target -> (folder of .jar files below the folder of peers, class). A start of the JVM is most of what a short program costs.
_JAVA = {
    "interop_java_client": ("java/grpc-interop-testing", "io.grpc.testing.integration.TestServiceClient"),
    "interop_java_server": ("java/grpc-interop-testing", "io.grpc.testing.integration.TestServiceServer"),
}
_JAVA_FLAGS = "-Xshare:auto -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

# target -> archive below the folder of peers: a program that unpacks it into the folder that it is given.
_ARCHIVES = {
    # The CA and the certificates that grpc-java's interop programs have built in.
    "interop_java_certs": "java/grpc-interop-testing/grpc-testing-1.60.0.jar",
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
    scripts = {}
    for name, path in _PROGRAMS.items():
        # A script and not a link: Python finds its virtual environment by the path it is called by.
        scripts[name] = 'exec "%s/%s" "$@"' % (folder, path)
    for name, (path, main) in _JAVA.items():
        scripts[name] = 'exec java %s -cp "%s/%s/*" %s "$@"' % (_JAVA_FLAGS, folder, path, main)
    # With the packages of the npm registry, as if they lay beside the program that is run.
    scripts["node"] = 'NODE_PATH="%s/node/node_modules" exec "%s/python/bin/node" "$@"' % (folder, folder)
    for name, path in _ARCHIVES.items():
        scripts[name] = 'exec python3 -m zipfile -e "%s/%s" "$1"' % (folder, path)
    for name, command in scripts.items():
        rctx.file("bin/" + name, "#!/bin/sh\n%s\n" % command)
        build.append('filegroup(name = "%s", srcs = ["bin/%s"])' % (name, name))
    rctx.file("BUILD.bazel", "\n".join(build) + "\n", executable = False)

peers_repository = repository_rule(
    implementation = _peers_impl,
    configure = True,
    environ = ["COMB_PEERS", "HOME"],
    local = True,
)
