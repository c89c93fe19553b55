#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every house check finds what is seeded for it, at its line, and is silent on a good twin."""

import os
import shutil
import sys
import tempfile
import unittest

import checks
import headers
import layers
from tree import Tree

STYLE = None  # path of .clang-format


class HouseTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(shutil.rmtree, self.root)

    def tree(self, files):
        for path, text in files.items():
            full = os.path.join(self.root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w") as out:
                out.write(text)
        return Tree(self.root)

    def found(self, findings):
        return [(f.path, f.line) for f in findings]

    def test_format(self):
        tree = self.tree({"a/bad.c": "int  a;\nint b;\n", "a/good.c": "int a;\n"})
        self.assertEqual(self.found(checks.check_format(tree, STYLE)), [("a/bad.c", 1)])

    def test_licence(self):
        line = checks.LICENCE
        tree = self.tree({
            "bad.c": "int a;\n",
            "good.c": "/* %s */\nint a;\n" % line,
            "late.c": "\n\n\n/* %s */\n" % line,
            "script": "#!/bin/sh\n",
            "text.md": "words\n",
        })
        self.assertEqual(self.found(checks.check_licence(tree)), [("bad.c", 1), ("late.c", 1), ("script", 1)])

    def test_links(self):
        tree = self.tree({
            "README.md": "[a](docs/a.md) [b](docs/none.md)\n[top](LICENSE) [web](https://example.org/x) [d](server/x/)\n",
            "docs/README.md": "[a](a.md#part)\n",
            "docs/a.md": "text\n[up](../README.md)\n",
            "docs/b.md": "nobody links this\n",
            "server/x/y.c": "",
        })
        self.assertEqual(self.found(checks.check_links(tree)), [("README.md", 1), ("docs/b.md", 1)])

    def test_spelling(self):
        tree = self.tree({"bad.md": "good words\nrec" "ieve\n", "good.c": "/* receive */\n", "x_corpus/a": "rec" "ieve\n"})
        self.assertEqual(self.found(checks.check_spelling(tree)), [("bad.md", 2)])

    def test_shell(self):
        tree = self.tree({
            "a/bad": "#!/bin/sh\n\ncd folder\n",
            "a/good.sh": '#!/usr/bin/env bash\n. "$(dirname "$0")/lib.sh"\nrm "$1"\n',
            "a/lib.sh": "# shellcheck shell=bash\ntrue\n",
        })
        self.assertEqual(set(self.found(checks.check_shell(tree))), {("a/bad", 3)})

    def test_banned(self):
        tree = self.tree({
            "bad.c": "void f(void)\n{\n    strcpy(a, b);\n    n = atoi (s);\n}\n",
            "server/bad.c": "void f(void)\n{\n    system(a);\n}\n",
            "tests/good.c": "void f(void)\n{\n    system(a);\n}\n",
            "good.c": "/* strcpy(a) */\nchar *s = \"gets(x)\";\nvoid f(void)\n{\n    my_strcpy(a);\n    x->system(1);\n}\n",
        })
        self.assertEqual(self.found(checks.check_banned(tree)), [("bad.c", 3), ("bad.c", 4), ("server/bad.c", 3)])

    def test_functions(self):
        def function(name, body):
            return "static int %s(int a,\n    int b)\n{\n%s}\n\n" % (name, body)

        long_body = "    a++;\n" * checks.FUNCTION_LINES_MAX
        branchy = "    if (a)\n        b++;\n" * checks.FUNCTION_COMPLEXITY_MAX
        fits = "    a++;\n" * (checks.FUNCTION_LINES_MAX - 4)
        switch = "    switch (a) {\n" + "    case 1:\n        break;\n" * 20 + "    }\n"
        tree = self.tree({
            "bad.c": function("good", fits) + function("long_one", long_body),
            "branchy.c": "struct s {\n    int a;\n};\n\n" + function("branchy", branchy),
            "good.c": function("switching", switch),
        })
        found = list(checks.check_functions(tree))
        self.assertEqual(self.found(found), [("bad.c", checks.FUNCTION_LINES_MAX + 2), ("branchy.c", 5)])
        self.assertIn("long_one()", found[0].text)
        self.assertIn("branchy()", found[1].text)

    def test_words(self):
        tree = self.tree({
            "bad.c": "/* TO" "DO: more */\n",
            "path.md": "see /ho" "me/x/y\n",
            "stub.c": "int a;\n/* not implemented ye" "t */\n",
            "nul.txt": "a\0b",
            "huge.txt": "a" * (checks.FILE_MAX_BYTES + 1),
            "x_fuzz_corpus/raw": "\0",
            "good.c": 'char t[] = "name-XX' 'XXXX"; /* https://example.org/wo' 'rk/ */\n',
        })
        self.assertEqual(self.found(checks.check_words(tree)),
                         [("bad.c", 1), ("huge.txt", 1), ("nul.txt", 1), ("path.md", 1), ("stub.c", 2)])

    def test_build_files(self):
        tree = self.tree({
            "a/BUILD": 'c_test(name = "a", srcs = ["a.c"])\ncc_test(name = "b", srcs = ["b.c"])\n# cc_library(\n',
            "b/BUILD": 'c_test(\n    name = "a",\n    tags = ["lo' 'cal"],\n)\n',
            "c/BUILD.bazel": "",
            "d/BUILD": 'cc_library(\n    name = "bundle",\n    deps = [":a"],\n)\n\ncc_library(\n    srcs = ["b.c"],\n)\n',
            "e/BUILD": 'sh_test(\n    name = "s",\n    tags = ["block-network"],\n)\n\nsh_test(\n    name = "t",\n)\n',
        })
        self.assertEqual(self.found(checks.check_build_files(tree)),
                         [("a/BUILD", 2), ("b/BUILD", 3), ("c/BUILD.bazel", 1), ("d/BUILD", 6), ("e/BUILD", 6)])

    def test_apt_lists(self):
        files = {
            "bazel/apt-run.txt": "# list\nlibb-dev\nliba-dev\n",
            "bazel/apt-test.txt": "liba-dev\n",
            "bazel/system.bzl": 'LIBRARIES = {\n    "a": ("a", "liba-dev", []),\n    "c": ("c", "libc-dev", []),\n}\n',
        }
        self.assertEqual(self.found(checks.check_apt_lists(self.tree(files))),
                         [("bazel/apt-run.txt", 3), ("bazel/apt-test.txt", 1), ("bazel/system.bzl", 1)])
        files["bazel/apt-run.txt"] = "liba-dev\nlibb-dev\n"
        files["bazel/apt-test.txt"] = "libc-dev\n"
        self.assertEqual(self.found(checks.check_apt_lists(self.tree(files))), [])

    def test_top(self):
        self.assertEqual(self.found(checks.check_top(["BUILD", "server", "scratch.txt"])), [("scratch.txt", 1)])

    def includes(self, path, target):
        self.setUp()
        return self.found(layers.check_layers(self.tree({path: "/* x */\n#include %s\n" % target})))

    def test_layers_refuse(self):
        for path, target in [
            ("server/core/map.c", '"server/tree/tree.h"'),
            ("server/core/map.c", "<grpcc/server.h>"),
            ("server/core/map.c", "<grpc/grpc.h>"),
            ("server/tree/tree_store.h", '"server/tree/tree.h"'),
            ("server/tree/tree.c", '"server/backend/sql/sql.h"'),
            ("server/tree/tree.c", '"server/tree/driver/sqlite.h"'),
            ("server/tree/tree.c", '"server/tree/tree_rpc.h"'),
            ("server/tree/driver/sql.c", '"server/data/data_driver.h"'),
            ("server/tree/driver/sql.c", '"server/tree/tree.h"'),
            ("server/tree/tree_rpc.c", '"server/data/data.h"'),
            ("server/tree/tree_rpc.c", '"server/tree/driver/sql.h"'),
            ("server/backend/sql/pool.c", '"server/tree/tree_store.h"'),
            ("server/mutation/mutation.c", '"server/tree/driver/sql.h"'),
            ("server/tree/tree.c", '"server/options.h"'),
            ("server/tree/tree.c", '"client/include/comb/comb.h"'),
            ("gen/runtime/server.c", '"server/core/map.h"'),
            ("client/lib/open.c", '"server/core/map.h"'),
        ]:
            with self.subTest(path=path, target=target):
                self.assertEqual(self.includes(path, target), [(path, 2)])

    def test_layers_allow(self):
        for path, target in [
            ("server/core/map.c", "<grpcc/arena.h>"),
            ("server/tree/tree.c", '"server/data/data.h"'),
            ("server/tree/tree.c", '"server/permissions/permissions_store.h"'),
            ("server/tree/driver/sql.c", '"server/tree/tree_store.h"'),
            ("server/tree/driver/sql.c", '"server/backend/sql/sql.h"'),
            ("server/tree/tree_rpc.c", '"server/tree/tree.h"'),
            ("server/tree/tree_test.c", '"server/tree/driver/sql.h"'),
            ("server/main.c", '"server/tree/driver/sql.h"'),
            ("client/lib/open.c", '"client/lib/internal.h"'),
        ]:
            with self.subTest(path=path, target=target):
                self.assertEqual(self.includes(path, target), [])

    def test_public_headers(self):
        tree = self.tree({
            "client/include/comb/bad.h": "int a;\nstruct grpc_channel *f(void);\n",
            "client/include/comb/good.h": "/* grpc_channel */\nint grpcc_a;\n",
        })
        self.assertEqual(self.found(layers.check_public_headers(tree)), [("client/include/comb/bad.h", 2)])

    def test_headers(self):
        tree = self.tree({
            "server/bad.h": "size_t f(void);\n",
            "server/twice.h": "struct a {\n    int b;\n};\n",
            "server/good.h": "#pragma once\n#include <stddef.h>\nsize_t f(void);\n",
            "client/include/comb/c_only.h": "#pragma once\nint f(int class);\n",
        })
        self.assertEqual(self.found(headers.check_headers(tree)),
                         [("server/bad.h", 1), ("server/twice.h", 1), ("client/include/comb/c_only.h", 1)])


if __name__ == "__main__":
    STYLE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
