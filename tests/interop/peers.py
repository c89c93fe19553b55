# SPDX-License-Identifier: Apache-2.0
"""What the tests of this folder share: servers that they start, certificates, tables of docs/interop.md."""

import contextlib
import os
import socket
import subprocess
import time

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30


def folder(name):
    path = os.path.join(os.environ["TEST_TMPDIR"], name)
    os.makedirs(path, exist_ok=True)
    return path


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _wait_for(port, process):
    """Programs by others do not say when they listen: asks until they do."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit("the server ended with %d before it listened" % process.returncode)
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit("the server does not listen on port %d" % port)


@contextlib.contextmanager
def serving(command):
    """Runs a server as long as the block lasts. {port} in its words is a free port, and the block's value."""
    port = free_port()
    words = [word.format(port=port) for word in command]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield port
        if process.poll() is not None:
            raise SystemExit("the server ended with %d while it was called" % process.returncode)
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def make_certificates(path):
    """ca.pem, server.pem, server.key below path, for localhost and 127.0.0.1."""
    def openssl(*words):
        subprocess.run(["openssl"] + list(words), check=True, cwd=path, stderr=subprocess.DEVNULL)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=interop CA")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    with open(os.path.join(path, "names"), "w") as names:
        names.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "server.pem")


def table(path, heading):
    """The rows of the table under a heading, as lists of cells; the first one is the table's own head."""
    rows, inside = [], False
    for line in open(path):
        if line.startswith("#"):
            inside = line.strip("# \n") == heading
        elif inside and line.startswith("|"):
            rows.append([cell.strip().strip("`") for cell in line.strip().strip("|").split(" | ")])
    if len(rows) < 3:
        raise SystemExit("%s has no table under the heading \"%s\"" % (path, heading))
    return [rows[0]] + rows[2:]
