# SPDX-License-Identifier: Apache-2.0
"""The source tree as the house checks see it: which files there are, and C code without comments and strings."""

import os
import re

C_FILES = (".c", ".h")


class Finding:
    """One thing to mend; prints as compilers do."""

    def __init__(self, path, line, text):
        self.path, self.line, self.text = path, line, text

    def __str__(self):
        return "%s:%d: %s" % (self.path, self.line, self.text)


class Tree:
    """Files below a folder, named relative to it as in #include and in reports."""

    def __init__(self, root):
        self.root = root
        self._paths = None

    def paths(self, endings=("",)):
        if self._paths is None:
            self._paths = []
            for folder, folders, names in os.walk(self.root, followlinks=True):
                folders[:] = [f for f in folders if f != "__pycache__"]
                for name in names:
                    self._paths.append(os.path.relpath(os.path.join(folder, name), self.root))
            self._paths.sort()
        return [p for p in self._paths if p.endswith(endings)]

    def bytes(self, path):
        with open(os.path.join(self.root, path), "rb") as f:
            return f.read()

    def text(self, path):
        return self.bytes(path).decode("utf-8", errors="replace")

    def lines(self, path):
        return self.text(path).split("\n")

    def code_lines(self, path):
        return code_of(self.text(path)).split("\n")


_NOT_CODE = re.compile(
    r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""", re.DOTALL | re.VERBOSE)


def code_of(text):
    """C source with comments gone and literals emptied; line numbers stay."""

    def blank(match):
        found = match.group(0)
        if found.startswith("/"):
            return " " + "\n" * found.count("\n")
        return found[0] * 2

    return _NOT_CODE.sub(blank, text)
