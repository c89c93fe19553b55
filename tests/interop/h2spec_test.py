#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""h2spec_test.py TABLE plain|tls SERVER H2SPEC [BARE]

Runs h2spec in strict mode against our server and holds what fails against the table in docs/interop.md. BARE is a server on
gRPC core's own API: what fails here must fail there too, or it is not core's.
"""

import concurrent.futures
import contextlib
import os
import subprocess
import sys
import time
import xml.etree.ElementTree

import peers

# Most of a run is waiting for what does not come: its parts wait together.
PARTS = ("generic", "http2/3", "http2/4", "http2/5", "http2/6", "http2/7", "http2/8", "hpack")
# Seconds that h2spec waits for a frame. Long, because a busy machine that is late looks like a failure.
WAIT_S = 2
RUN_TIMEOUT_S = 250
# Many tests send to a stream whose call may be over by then: what differs once is run again, and counts if it stays so.
RUNS_MAX = 3


def run_part(h2spec, port, tls, part, name):
    report = os.path.join(peers.folder("h2spec"), "%s-%s.xml" % (name, part.replace("/", "-")))
    words = [h2spec, part, "--strict", "-h", "127.0.0.1", "-p", str(port), "-o", str(WAIT_S), "-j", report]
    subprocess.run(words + (["-t", "-k"] if tls else []), stdout=subprocess.DEVNULL, timeout=RUN_TIMEOUT_S)
    return xml.etree.ElementTree.parse(report)


def run_all(h2spec, port, tls, name):
    """{(section, test): what came instead, or None where it passed}; skipped tests are not there."""
    results = {}
    with concurrent.futures.ThreadPoolExecutor(len(PARTS)) as pool:
        for report in pool.map(lambda part: run_part(h2spec, port, tls, part, name), PARTS):
            for case in report.iter("testcase"):
                if case.find("skipped") is not None:
                    continue
                wrong = case.find("error") if case.find("error") is not None else case.find("failure")
                said = None if wrong is None else (wrong.text or "").strip().split("\n")[-1]
                results[case.get("package"), case.get("classname")] = said
    return results


@contextlib.contextmanager
def bare_core(program):
    """A server that picks its port and writes it into a file."""
    ready = os.path.join(peers.folder("h2spec"), "ready")
    process = subprocess.Popen([program, "--ready-file", ready])
    try:
        deadline = time.monotonic() + peers.START_TIMEOUT_S
        while not os.path.exists(ready) or not open(ready).read().endswith("\n"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("%s does not serve" % program)
            time.sleep(0.05)
        yield int(open(ready).read().strip().rsplit("=", 1)[-1].rsplit(":", 1)[-1])
    finally:
        process.terminate()
        process.wait()


def certificates():
    folder = peers.folder("certificates")
    peers.make_certificates(folder)
    return ["--use_tls", "--tls_cert_file", os.path.join(folder, "server.pem"),
            "--tls_key_file", os.path.join(folder, "server.key")]


def show(results):
    for (section, test), said in sorted(results.items()):
        if said is not None:
            print("%s | %s | %s" % (section, test, said))
    failed = sum(said is not None for said in results.values())
    print("%d tests, %d passed, %d failed" % (len(results), len(results) - failed, failed), flush=True)


def compare(results, rows):
    """What is not as the table says, as lines."""
    known = {(row[0], row[1]): row[2] for row in rows[1:]}
    for key, said in sorted(results.items()):
        result = known.pop(key, "passes")
        if result == "fails" and said is None:
            yield "passes now, and the table says that it fails: %s | %s" % key
        elif result == "passes" and said is not None:
            yield "fails, and is not in the table: %s | %s" % key
    for key in known:
        yield "is in the table, and no test of h2spec: %s | %s" % key


def run_once(pool, h2spec, port, tls, core_ports, rows):
    """What is wrong in one run, as lines."""
    either = {(row[0], row[1]) for row in rows[1:] if row[2] == "either"}
    ours = pool.submit(run_all, h2spec, port, tls, "ours")
    core = [pool.submit(run_all, h2spec, core_port, False, "core") for core_port in core_ports]
    ours, core = ours.result(), [run.result() for run in core]
    show(ours)
    wrong = set(compare(ours, rows))
    for results in core:
        wrong |= {"fails here and not on bare core: %s | %s" % key for key, said in ours.items()
                  if said is not None and results.get(key) is None and key not in either}
    return wrong


def main():
    path, mode, server, h2spec, *bare = sys.argv[1:]
    rows = peers.table(path, "h2spec")
    tls = certificates() if mode == "tls" else []
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(2))
        port = stack.enter_context(peers.serving([server, "--host", "127.0.0.1", "--port", "{port}"] + tls))
        core_ports = [stack.enter_context(bare_core(program)) for program in bare]
        wrong = run_once(pool, h2spec, port, bool(tls), core_ports, rows)
        for _ in range(RUNS_MAX - 1):
            if not wrong:
                break
            print("differs, run again:", *sorted(wrong), sep="\n  ", flush=True)
            wrong &= run_once(pool, h2spec, port, bool(tls), core_ports, rows)
    if wrong:
        raise SystemExit("\n".join(sorted(wrong)))


if __name__ == "__main__":
    main()
