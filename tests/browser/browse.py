#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""browse.py PORT-FILE PAGE-FOLDER PROTOBUF.JS PROTO-FOLDER[,PROTO-FOLDER...] PASSWORD-FILE

Serves a page and shows it to a headless Chromium: its address goes to PORT-FILE first, then a line on standard input says
where Comb is. Ends well when the page says that all went well.
"""
import functools
import http.server
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading

RESULT_S = 150
CHROMIUM = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"]
TYPES = {".html": "text/html", ".js": "text/javascript", ".proto": "text/plain"}


class Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, site, *arguments):
        self.site = site
        super().__init__(*arguments)

    def answer(self, status, kind, content):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        if self.path == "/setup":
            self.answer(200, "application/json", json.dumps(self.site.setup).encode())
            return
        path = self.site.find(self.path)
        if not path:
            self.answer(404, "text/plain", b"not here")
            return
        with open(path, "rb") as file:
            self.answer(200, TYPES[os.path.splitext(path)[1]], file.read())

    def do_POST(self):
        said = self.rfile.read(int(self.headers["content-length"])).decode()
        if self.path == "/result":
            self.site.results.put(said)
        else:
            print(said, file=sys.stderr)
        self.answer(200, "text/plain", b"")

    def log_message(self, *arguments):
        print(*arguments[1:], file=sys.stderr)


class Site:
    def __init__(self, page, library, protos):
        self.page, self.library, self.protos = page, library, protos
        self.setup = {}
        self.results = queue.Queue()

    def find(self, path):
        if path == "/protobuf.js":
            return self.library
        if path.startswith("/protos/"):
            paths = [os.path.join(folder, path[len("/protos/"):]) for folder in self.protos]
        else:
            paths = [os.path.join(self.page, path[1:] or "index.html")]
        return next((one for one in paths if os.path.isfile(one)), None)


def show(address, results):
    """What the page says in the end."""
    with tempfile.TemporaryDirectory(dir=os.environ["TEST_TMPDIR"], ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen([*CHROMIUM, "--user-data-dir=" + profile, address], start_new_session=True,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "HOME": profile})
        try:
            return results.get(timeout=RESULT_S)
        except queue.Empty:
            return "the page says nothing; Chromium's status is %s" % browser.poll()
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()


def main():
    port_file, page, library, protos, password_file = sys.argv[1:]
    site = Site(page, library, protos.split(","))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = "http://127.0.0.1:%d" % server.server_port
    with open(port_file + ".new", "w", encoding="utf-8") as file:
        file.write(address)
    os.rename(port_file + ".new", port_file)
    with open(password_file, encoding="utf-8") as file:
        site.setup = {"server": sys.stdin.readline().strip(), "password": file.read().strip()}
    result = show(address + "/", site.results)
    if result != "done":
        sys.exit("browse.py: " + result)


main()
