#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""interop_test.py TABLE COLUMN plain|tls SERVER CLIENT [CERTIFICATES]

Runs the cases of one column of the table in docs/interop.md, each by its client program against one server, and holds the
results against the cells. Which program is ours, grpc-go's or grpc-java's is told by its name.
"""

import os
import subprocess
import sys
import tempfile

import peers

CASE_TIMEOUT_S = 120
# A busy machine is slow, and no case is about speed.
SOAK = {"soak_per_iteration_max_acceptable_latency_ms": 30000, "soak_overall_timeout_seconds": 100}
PASSES = "passes"


class Certificates:
    """Where the files are, and the name that the server's certificate is for."""

    def __init__(self, folder, ca, certificate, key, name):
        self.ca, self.certificate, self.key = (os.path.join(folder, file) for file in (ca, certificate, key))
        self.name = name


def certificates(unpack):
    """grpc-java's own, because its programs know no others; or new ones."""
    folder = peers.folder("certificates")
    if not unpack:
        peers.make_certificates(folder)
        return Certificates(folder, "ca.pem", "server.pem", "server.key", "localhost")
    subprocess.run([unpack, folder], check=True)
    return Certificates(folder, "certs/ca.pem", "certs/server1.pem", "certs/server1.key", "foo.test.google.fr")


def server_command(program, tls):
    name = os.path.basename(program)
    if name == "interop_java_server":
        return [program, "--port={port}", "--use_tls=%s" % ("true" if tls else "false")]
    # In the spelling of grpc-go, which ours takes too.
    words = [program, "-port", "{port}"]
    if name == "server":
        words += ["-host", "127.0.0.1"]
    if tls:
        words += ["-use_tls", "-tls_cert_file", tls.certificate, "-tls_key_file", tls.key]
    return words


def client_command(program, port, tls, case):
    # grpc-java's flags: two dashes, and their values always behind "=".
    words = [program, "--server_host=127.0.0.1", "--server_port=%d" % port, "--test_case=" + case]
    words.append("--use_tls=%s" % ("true" if tls else "false"))
    if tls:
        words += ["--use_test_ca=true", "--server_host_override=" + tls.name]
        if os.path.basename(program) != "interop_java_client":
            words.append("--ca_file=" + tls.ca)
    return words + ["--%s=%d" % flag for flag in SOAK.items()]


def run_case(command):
    """(whether it passed, what it said)"""
    with tempfile.TemporaryFile(mode="w+", errors="replace") as said:
        try:
            status = subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, timeout=CASE_TIMEOUT_S).returncode
        except subprocess.TimeoutExpired:
            status = None
        said.seek(0)
        return status == 0, "%s\nstatus %s" % (said.read()[-2000:], status)


def main():
    path, column, mode, server, client, *unpack = sys.argv[1:]
    rows = peers.table(path, "Cases")
    if column not in rows[0]:
        raise SystemExit("%s has no column \"%s\": %s" % (path, column, rows[0]))
    at = rows[0].index(column)
    tls = certificates(unpack[0] if unpack else None) if mode == "tls" else None
    wrong = []
    with peers.serving(server_command(server, tls)) as port:
        for row in rows[1:]:
            case, cell = row[0], row[at]
            passed, said = run_case(client_command(client, port, tls, case))
            print("%-40s %-8s (table: %s)" % (case, "passes" if passed else "-", cell), flush=True)
            if passed != (cell == PASSES):
                wrong.append(case)
                print(said)
    if wrong:
        raise SystemExit("not as the column \"%s\" of %s says: %s" % (column, path, ", ".join(wrong)))


if __name__ == "__main__":
    main()
