# SPDX-License-Identifier: Apache-2.0
"""cc_* for our own code, written or generated: C11, all warnings, all errors."""

load("//bazel:source_tree.bzl", "check_folder")

WARN = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-Wshadow",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wwrite-strings",
    "-Wvla",
]

# gRPC core's own headers declare functions without a prototype.
DEFINES = ["_GNU_SOURCE"]

def c_library(name, copts = [], local_defines = [], **kwargs):
    check_folder()
    native.cc_library(name = name, copts = WARN + copts, local_defines = DEFINES + local_defines, **kwargs)

def c_binary(name, copts = [], local_defines = [], **kwargs):
    check_folder()
    native.cc_binary(name = name, copts = WARN + copts, local_defines = DEFINES + local_defines, **kwargs)

def c_test(name, copts = [], local_defines = [], size = "small", tags = [], deps = [], **kwargs):
    """A test of its own network namespace (loopback only), so that ports never collide."""
    check_folder()
    native.cc_test(
        name = name,
        copts = WARN + copts,
        local_defines = DEFINES + local_defines,
        size = size,
        tags = tags + ["block-network"],
        deps = deps + ["//bazel:sanitizers"],
        **kwargs
    )

# Of C++, warnings that only C has are errors of the command line.
CXX_WARN = [w for w in WARN if w not in ["-Wstrict-prototypes", "-Wmissing-prototypes"]]

def cxx_library(name, copts = [], **kwargs):
    """As c_library, of C++ sources: where a library that we need speaks C++ only."""
    check_folder()
    native.cc_library(name = name, copts = ["-std=c++17"] + CXX_WARN + copts, **kwargs)

def cxx_test(name, copts = [], size = "small", tags = [], **kwargs):
    """As c_test, of C++ sources: what programs in C++ see of our headers."""
    check_folder()
    native.cc_test(name = name, copts = ["-std=c++17"] + CXX_WARN + copts, size = size, tags = tags + ["block-network"], **kwargs)
