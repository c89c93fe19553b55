# SPDX-License-Identifier: Apache-2.0
"""@source_tree//:sources: the whole tree as one input, for the house tests (tests/house).

A folder given as an input is all that lies in it, whatever the packages: a new file or package needs no registration
and cannot escape, and a change of any file runs the tests again (.bazelrc: BAZEL_TRACK_SOURCE_DIRECTORIES).
A new folder at the top must be added here: until then nothing in it builds (check_folder), and a house test says so.
"""

SOURCE_FOLDERS = [
    ".ci",
    "api",
    "bazel",
    "client",
    "docs",
    "gen",
    "server",
    "tests",
]

# Files at the top that people read or that programs obey; BUILD and WORKSPACE would make the copy a package of its own.
SOURCE_FILES = [
    ".bazelrc",
    ".clang-format",
    ".clang-tidy",
    ".gitattributes",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
]

def check_folder():
    """Called by the macros of cc.bzl: a package outside SOURCE_FOLDERS would escape the house tests."""
    folder = native.package_name().split("/")[0]
    if native.repository_name() == "@" and folder not in SOURCE_FOLDERS:
        fail("%s is not in SOURCE_FOLDERS of bazel/source_tree.bzl" % folder)

def _source_tree_impl(rctx):
    top = rctx.path(Label("@comb//:WORKSPACE")).dirname
    for name in SOURCE_FOLDERS + SOURCE_FILES:
        if not rctx.path(str(top) + "/" + name).exists:
            fail("%s is gone: take it out of bazel/source_tree.bzl" % name)
        rctx.symlink(str(top) + "/" + name, "tree/" + name)
    rctx.file("BUILD.bazel", "\n".join([
        "filegroup(",
        '    name = "sources",',
        '    srcs = ["tree"],',
        '    visibility = ["//visibility:public"],',
        ")",
        "",
    ]), executable = False)

source_tree_repository = repository_rule(implementation = _source_tree_impl, local = True)
