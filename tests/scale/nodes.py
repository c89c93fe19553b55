# SPDX-License-Identifier: Apache-2.0
"""nodes.py ROOT FIRST END: the rows of files FIRST to END, a thousand a folder, below the folder with the id ROOT, as
COPY takes them for the columns id, parent, name, kind, rev, acl_rev, size, create_us, update_us of node. FIRST and END are
multiples of a thousand, so that a tree can be made larger."""

import sys

FOLDER_NODES = 1000
FOLDER, FILE = 2, 1


def main():
    root = sys.argv[1].replace("-", "")
    first, end = int(sys.argv[2]), int(sys.argv[3])
    # Ids of folders and of files differ in their first byte; those that combd makes begin with a time.
    for folder in range(first // FOLDER_NODES, end // FOLDER_NODES):
        parent = "f0%030x" % folder
        lines = ["\\\\x%s\t\\\\x%s\tf%d\t%d\t1\t1\t0\t1\t1\n" % (parent, root, folder, FOLDER)]
        for number in range(FOLDER_NODES):
            lines.append("\\\\xf1%030x\t\\\\x%s\tn%d\t%d\t1\t1\t7\t1\t1\n" % (folder * FOLDER_NODES + number, parent, number, FILE))
        sys.stdout.write("".join(lines))


main()
