# SPDX-License-Identifier: Apache-2.0
"""The one list of drivers: interface -> drivers -> target, and what a test needs to start one."""

load("//bazel:cc.bzl", "c_test")

# needs: programs that a contract test starts, by the names of bazel/apt-test.txt.
DRIVERS = {
    "data": {
        "files": struct(dep = "//server/data/driver:files", needs = []),
    },
    "sql": {
        "sqlite": struct(dep = "//server/backend/sql/sqlite", needs = []),
    },
}

def contract_tests(interface, srcs, deps, **kwargs):
    """`INTERFACE_DRIVER_test` for each driver: the suites of srcs, and driver_DRIVER.c, which opens one."""
    for driver, row in DRIVERS[interface].items():
        c_test(
            name = "%s_%s_test" % (interface, driver),
            srcs = srcs + ["driver_%s.c" % driver],
            deps = deps + [row.dep],
            **kwargs
        )
