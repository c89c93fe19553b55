# SPDX-License-Identifier: Apache-2.0
"""The one list of drivers: interface -> drivers -> target, and what a test needs to start one."""

load("//bazel:cc.bzl", "c_library", "c_test")

# dep: the target. open: the function that opens one. needs: programs that a contract test starts, by the names of
# bazel/apt-test.txt.
DRIVERS = {
    "cache": {
        "mem": struct(dep = "//server/cache/driver:mem", open = "comb_cache_mem_open", needs = []),
        "redis": struct(dep = "//server/cache/driver:redis", open = "comb_cache_redis_open", needs = ["redis-server"]),
    },
    "data": {
        "files": struct(dep = "//server/data/driver:files", needs = []),
    },
    "sql": {
        "sqlite": struct(dep = "//server/backend/sql/sqlite", open = "comb_sql_sqlite_open", needs = []),
    },
    "vault": {
        "json": struct(dep = "//server/vault/driver:json", needs = []),
    },
}

def contract_tests(interface, srcs, deps, name = None, row = None, **kwargs):
    """`NAME_DRIVER_test` for each driver of interface: the suites of srcs, and driver_DRIVER.c, which opens one.

    Args:
      interface: a key of DRIVERS.
      srcs: the suites, which know the interface and its capabilities, never a driver's name.
      deps: what they need.
      name: the interface's unless given.
      row: ROW_DRIVER is a library that opens one, in place of driver_DRIVER.c.
      **kwargs: as of c_test.
    """
    for driver, spec in DRIVERS[interface].items():
        c_test(
            name = "%s_%s_test" % (name or interface, driver),
            srcs = srcs + ([] if row else ["driver_%s.c" % driver]),
            deps = deps + (["%s_%s" % (row, driver)] if row else [spec.dep]),
            **kwargs
        )

def driver_table(name, interface, header, table, srcs, hdrs, deps):
    """The library of all drivers of interface, with the table that a program opens them from.

    Args:
      name: of the library.
      interface: a key of DRIVERS.
      header: declares `const struct TABLE_row TABLE[]`, rows of {scheme, open}, and `const size_t TABLE_count`.
      table: TABLE.
      srcs: what looks into the table.
      hdrs: header among them.
      deps: beside the drivers.
    """
    lines = [
        "#include \"%s\"" % header,
        "const struct %s_row %s[] = {" % (table, table),
    ] + ["{\"%s\", %s}," % (driver, row.open) for driver, row in DRIVERS[interface].items()] + [
        "};",
        "const size_t %s_count = sizeof(%s) / sizeof(%s[0]);" % (table, table, table),
    ]
    native.genrule(
        name = name + "_table",
        outs = [name + "_table.c"],
        cmd = "cat > $@ <<'END'\n" + "\n".join(lines) + "\nEND",
    )
    c_library(
        name = name,
        srcs = srcs + [name + "_table.c"],
        hdrs = hdrs,
        deps = deps + [row.dep for row in DRIVERS[interface].values()],
    )
