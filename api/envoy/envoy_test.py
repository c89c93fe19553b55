# SPDX-License-Identifier: Apache-2.0
"""envoy_test.py PYTHON ENVOY DESCRIPTORS: what envoy.py makes keeps its promises, and Envoy takes it."""

import json
import os
import subprocess
import sys
import tempfile

import envoy

# Methods that must not have a path of REST, and why. Others have one or not, as their service thinks fit.
GRPC_ONLY = {
    "comb.v1.Data/Upload": "a stream of messages: REST has Put, and the parts of an upload",
    "comb.v1.Data/WritePart": "the same: REST has PutPart",
    "comb.v1.Vault/*": "secrets: not where paths and bodies end in the logs of proxies and browsers",
}


def run(python, *arguments):
    return subprocess.run([python, "-B", os.path.join(os.path.dirname(__file__), "envoy.py")] + list(arguments), check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def make(python, *arguments):
    done = run(python, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def routes_of(configuration):
    listener = configuration["static_resources"]["listeners"][0]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    host, = manager["route_config"]["virtual_hosts"]
    return host["routes"], manager


def check_routes(configuration, methods):
    """Each method has its routes and nothing else has any; only what may be repeated is repeated after it was sent."""
    routes, manager = routes_of(configuration)
    by_path = {}
    for route in routes:
        assert list(route["match"]) in (["path"], ["path", "headers"]), route
        by_path.setdefault(route["match"]["path"], []).append(route)
    assert set(by_path) == {method.path for method in methods} | {"/grpc.health.v1.Health/Check"}, "paths"
    assert not any("Admin" in path or "Reflection" in path for path in by_path)
    for method in methods:
        mine = by_path[method.path]
        for route in mine:
            repeats = "reset" in route["route"]["retry_policy"]["retry_on"].split(",")
            with_id = any(header["name"] == "comb-request-id" for header in route["match"].get("headers", ()))
            assert repeats == (method.repetition == "REPETITION_READ" or
                               (method.repetition == "REPETITION_REQUEST_ID" and with_id)), route
            timeout = float(route["route"]["timeout"].rstrip("s"))
            assert timeout == 0 if not method.timeout_max_ms else timeout * 1000 > method.timeout_max_ms, route
        assert "headers" not in mine[-1]["match"], "%s: some calls have no route" % method.name
        assert len(mine) == (2 if method.repetition == "REPETITION_REQUEST_ID" else 1), method.name
    return manager


def check_rest(methods):
    paths = set()
    for method in methods:
        service = method.name.split("/")[0]
        if method.name in GRPC_ONLY or service + "/*" in GRPC_ONLY:
            assert method.http is None, "%s has a path; or take it out of GRPC_ONLY" % method.name
        if method.http is None:
            print("%s: gRPC and gRPC-Web only" % method.name)
            continue
        verb = method.http.WhichOneof("pattern")
        path = (verb, getattr(method.http, verb))
        assert path not in paths, "%s: %s is another method's too" % (method.name, path)
        assert verb == "get" or verb == "delete" or method.http.body == "*", method.name
        # Whoever repeats it by itself, as browsers and proxies do with these, does no harm.
        assert verb != "get" or method.repetition == "REPETITION_READ", method.name
        paths.add(path)
    return len(paths)


def check_annotations(python, folder, descriptors):
    """A method without the option is refused, and the checks above see what is wrong."""
    bare = envoy.descriptor_pb2.FileDescriptorSet()
    bare.CopyFrom(descriptors)
    for file in bare.file:
        if file.name == "comb/v1/tree.proto":
            file.service[0].method[0].ClearField("options")
    path = os.path.join(folder, "bare.pb")
    with open(path, "wb") as file:
        file.write(bare.SerializeToString())
    done = run(python, "--descriptors", path, "--listen", "127.0.0.1:1", "--dns", "comb:7070")
    assert done.returncode == 1 and "Tree/Stat has no option comb.v1.rpc" in done.stderr, done.stderr


def must_complain(check, *arguments):
    try:
        check(*arguments)
    except AssertionError:
        return
    raise AssertionError("nothing was seen")


def check_the_checks(configuration, methods):
    text = json.dumps(configuration)
    must_complain(check_routes, json.loads(text.replace("connect-failure,refused-stream\"", "reset,connect-failure\"")), methods)
    must_complain(check_routes, json.loads(text.replace("comb.v1.Tree/List", "comb.v1.Tree/Lost")), methods)
    must_complain(check_routes, json.loads(text.replace("comb-request-id", "x")), methods)


def check_usage(python, pb):
    for arguments in (["--listen", "127.0.0.1:1"], ["--descriptors", pb, "--listen", "127.0.0.1:1"],
                      ["--descriptors", pb, "--listen", "127.0.0.1", "--dns", "comb:7070"],
                      ["--descriptors", pb, "--listen", "127.0.0.1:1", "--dns", "comb:70700"],
                      ["--descriptors", pb, "--listen", "127.0.0.1:1", "--dns", "a:1", "--endpoints", "f"]):
        assert run(python, *arguments).returncode != 0, arguments


def validate(program, folder, configuration):
    path = os.path.join(folder, "envoy.json")
    with open(path, "w", encoding="ascii") as file:
        json.dump(configuration, file)
    done = subprocess.run([program, "--mode", "validate", "-c", path, "--log-level", "warn"], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    assert "eprecated" not in done.stdout, done.stdout


def main():
    python, program, pb = sys.argv[1:]
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as folder:
        endpoints = os.path.join(folder, "endpoints.json")
        with open(endpoints, "w", encoding="ascii") as file:
            json.dump(make(python, "--print-endpoints", "127.0.0.1:7070", "[::1]:7071"), file)
        base = ["--descriptors", pb, "--listen", "127.0.0.1:8080"]
        by_file = make(python, *base, "--endpoints", endpoints, "--cors-origin", "http://localhost:8000")
        by_dns = make(python, *base, "--admin", "127.0.0.1:9902", "--dns", "comb.example.org:7070")
        descriptors = envoy.read_descriptors(pb)
        methods = envoy.read_methods(descriptors)
        check_routes(by_file, methods)
        manager = check_routes(by_dns, methods)
        assert "cors" in json.dumps(by_file) and "cors" not in json.dumps(by_dns)
        n_paths = check_rest(methods)
        assert manager["http_filters"][-1]["name"] == "envoy.filters.http.router"
        check_the_checks(by_dns, methods)
        check_annotations(python, folder, descriptors)
        check_usage(python, pb)
        validate(program, folder, by_file)
        validate(program, folder, by_dns)
        print("%d methods, %d of them by REST" % (len(methods), n_paths))


if __name__ == "__main__":
    main()
