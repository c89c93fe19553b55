# SPDX-License-Identifier: Apache-2.0
"""Every header compiles alone, twice in one file; those that programs outside include compile as C++ too."""

import concurrent.futures
import os
import subprocess

from tree import Finding

PUBLIC = ("client/include/", "gen/runtime/include/")
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-D_GNU_SOURCE"]


def _include_name(path):
    for folder in PUBLIC:
        if path.startswith(folder):
            return path[len(folder):]
    return path


def _compile(tree, path, language, folders):
    twice = '#include "%s"\n' % _include_name(path) * 2
    compiler = ["gcc", "-std=c11", "-Wpedantic", "-x", "c"] if language == "C" else ["g++", "-std=c++17", "-x", "c++"]
    # A file of declarations only is what -Wpedantic calls empty.
    run = subprocess.run(compiler + WARNINGS + ["-I" + f for f in folders] + ["-"],
                         input=twice + "extern int not_empty;\n", stderr=subprocess.PIPE, text=True)
    if run.returncode == 0:
        return None
    first = next((l for l in run.stderr.split("\n") if "error" in l), run.stderr[-300:])
    return Finding(path, 1, "does not compile alone as %s: %s" % (language, first))


def check_headers(tree, others=()):
    """others: include folders of the libraries and generated headers that ours include."""
    folders = [tree.root] + [os.path.join(tree.root, f) for f in PUBLIC] + list(others)
    headers = [p for p in tree.paths((".h",)) if p.split("/")[0] in ("client", "gen", "server")]
    jobs = [(p, "C") for p in headers] + [(p, "C++") for p in headers if p.startswith(PUBLIC)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for finding in pool.map(lambda job: _compile(tree, job[0], job[1], folders), jobs):
            if finding:
                yield finding
