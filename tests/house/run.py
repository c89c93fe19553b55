#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One house check over the source tree.  usage: run.py CHECK TREE [ARGUMENT...]"""

import os
import sys

import checks
import headers
import layers
from tree import Tree

CHECKS = {
    "apt_lists": checks.check_apt_lists,
    "banned": checks.check_banned,
    "build_files": checks.check_build_files,
    "format": lambda tree, style: checks.check_format(tree, os.path.abspath(style)),
    "functions": checks.check_functions,
    "headers": lambda tree, listing: headers.check_headers(tree, open(listing).read().split()),
    "layers": layers.check_layers,
    "licence": checks.check_licence,
    "links": checks.check_links,
    "public_headers": layers.check_public_headers,
    "shell": checks.check_shell,
    "spelling": checks.check_spelling,
    "top": lambda tree, listing: checks.check_top(open(listing).read().split()),
    "words": checks.check_words,
}


def main():
    name, root, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    tree = Tree(root)
    if not tree.paths((".c",)):
        sys.exit("%s: no sources there: nothing was checked" % root)
    findings = list(CHECKS[name](tree, *arguments))
    for finding in findings:
        print(finding)
    print("%s: %d findings in %d files" % (name, len(findings), len(tree.paths())))
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
