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

def contract_tests(interface, srcs, deps, name = None, **kwargs):
    """`NAME_DRIVER_test` for each driver of interface: the suites of srcs, and driver_DRIVER.c, which opens one.

    Args:
      interface: a key of DRIVERS.
      srcs: the suites, which know the interface and its capabilities, never a driver's name.
      deps: what they need.
      name: the interface's unless given.
      **kwargs: as of c_test.
    """
    for driver, row in DRIVERS[interface].items():
        c_test(
            name = "%s_%s_test" % (name or interface, driver),
            srcs = srcs + ["driver_%s.c" % driver],
            deps = deps + [row.dep],
            **kwargs
        )
