# SPDX-License-Identifier: Apache-2.0
"""The one list of drivers: interface -> drivers -> target, and what a test needs to start one."""

load("//bazel:cc.bzl", "c_library", "c_test")

# dep: the target. open: the function that opens one; it takes struct comb_store_options, or, where `rest` is True, what
# follows the scheme's colon in the URL. header: declares it, where the row's own does not. needs: programs that a
# contract test starts, by the names of bazel/apt-test.txt. url: the form of its URL, for people. shared: other
# processes may use the store at the same time; what the driver says of itself must be the same. late: the libraries
# that combd loads when it opens one, of LATE_LIBRARIES (bazel/system.bzl).
DRIVERS = {
    "cache": {
        "mem": struct(dep = "//server/cache/driver:mem", open = "comb_cache_mem_open", needs = [], url = "mem:SIZE"),
        "redis": struct(dep = "//server/cache/driver:redis", open = "comb_cache_redis_open", needs = ["redis-server"], url = "redis://HOST:PORT/DATABASE", shared = True, late = ["hiredis"]),
    },
    "config": {
        "etcd": struct(dep = "//server/config/driver:etcd", open = "comb_config_etcd_open", needs = ["etcd-server"], url = "etcd://HOST:PORT,.../PREFIX", shared = True),
        "json": struct(dep = "//server/config/driver:json", open = "comb_config_json_open", needs = [], url = "json:PATH"),
    },
    "data": {
        "files": struct(dep = "//server/data/driver:files", open = "comb_blob_files_open", rest = True, needs = [], url = "files:DIR"),
        "s3": struct(dep = "//server/data/driver:s3", open = "comb_blob_s3_open", needs = ["versitygw"], url = "s3://BUCKET?endpoint=URL", shared = True, late = ["curl", "expat"]),
    },
    "docs": {
        "mongodb": struct(dep = "//server/docs/driver:mongodb", open = "comb_docs_mongodb_open", needs = [], url = "mongodb://HOST:PORT/DATABASE", shared = True, late = ["bson", "mongoc"]),
        "sqlite": struct(dep = "//server/docs/driver:sqlite", open = "comb_docs_sqlite_open", needs = [], url = "sqlite:PATH"),
    },
    "events": {
        "mem": struct(dep = "//server/events/driver:mem", open = "comb_events_mem_open", needs = [], url = "mem:"),
        "nats": struct(dep = "//server/events/driver:nats", open = "comb_events_nats_open", needs = ["nats-server"], url = "nats://HOST:PORT", shared = True, late = ["nats"]),
    },
    "registry": {
        "mem": struct(dep = "//server/registry/driver:mem", open = "comb_registry_mem_open", needs = [], url = "mem:"),
        "etcd": struct(dep = "//server/registry/driver:etcd", open = "comb_registry_etcd_open", needs = ["etcd-server"], url = "etcd://HOST:PORT,.../PREFIX", shared = True),
    },
    "sql": {
        "postgres": struct(dep = "//server/backend/sql/postgres", open = "comb_sql_postgres_open", header = "server/backend/sql/postgres/open.h", needs = ["postgresql-15"], url = "postgres://USER@HOST:PORT/DATABASE", shared = True, late = ["pq"]),
        "sqlite": struct(dep = "//server/backend/sql/sqlite", open = "comb_sql_sqlite_open", rest = True, needs = [], url = "sqlite:PATH"),
    },
    "vault": {
        "json": struct(dep = "//server/vault/driver:json", open = "comb_vault_json_open", needs = [], url = "json:PATH"),
        "vault": struct(dep = "//server/vault/driver:vault", open = "comb_vault_hashivault_open", needs = [], url = "vault://HOST:PORT/MOUNT", shared = True, late = ["curl"]),
    },
}

# What combd knows of a row. type: of what its drivers open, `struct TYPE`. header, dep: the contract. prefix: of its
# functions _check, _status and _close (server/core/store.h); checked = False: it has only _close.
ROWS = {
    "cache": struct(type = "comb_cache", header = "server/cache/cache_driver.h", dep = "//server/cache", prefix = "comb_cache"),
    "config": struct(type = "comb_config_store", header = "server/config/config_driver.h", dep = "//server/config:store", prefix = "comb_config_store"),
    "data": struct(type = "comb_blobs", header = "server/data/blob_driver.h", dep = "//server/data", prefix = "comb_blobs"),
    "docs": struct(type = "comb_docs", header = "server/docs/docs.h", dep = "//server/docs", prefix = "comb_docs"),
    "events": struct(type = "comb_events", header = "server/events/events_driver.h", dep = "//server/events:driver_contract", prefix = "comb_events"),
    "registry": struct(type = "comb_registry", header = "server/registry/registry_driver.h", dep = "//server/registry", prefix = "comb_registry"),
    "sql": struct(type = "comb_sql", header = "server/backend/sql/sql.h", dep = "//server/backend/sql", prefix = "comb_sql"),
    "vault": struct(type = "comb_vault", header = "server/vault/vault_driver.h", dep = "//server/vault", prefix = "comb_vault"),
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

def _adapt_open(row, scheme, driver):
    """A function that opens a driver as what all rows have in common."""
    rest = getattr(driver, "rest", False)
    loads = [
        line
        for library in getattr(driver, "late", [])
        for line in [
            "    if (status == COMB_OK)",
            "        status = comb_library_load(&comb_library_%s, err);" % library,
        ]
    ]
    return [
        "static enum comb_status %s_%s_open(const struct comb_store_options *options," % (row, scheme),
        "                                   void **ret_store, struct comb_error *err)",
        "{",
        "    struct %s *store = NULL;" % ROWS[row].type,
        "    enum comb_status status = COMB_OK;",
    ] + loads + [
        "    if (status == COMB_OK)",
        "        status = %s(%s, &store, err);" % (
            driver.open,
            "comb_row_url_rest(options->url)" if rest else "options",
        ),
        "    if (status == COMB_OK)",
        "        *ret_store = store;",
        "    return status;",
        "}",
    ]

def _adapt_slots(row):
    """Its functions of one row as those of any."""
    prefix, lines = ROWS[row].prefix, []
    if getattr(ROWS[row], "checked", True):
        lines = [
            "static enum comb_status %s_check(void *store, struct comb_ctx *ctx, struct comb_error *err)" % row,
            "{",
            "    return %s_check(store, ctx, err);" % prefix,
            "}",
            "static void %s_status(void *store, struct comb_store_status *ret_status)" % row,
            "{",
            "    %s_status(store, ret_status);" % prefix,
            "}",
        ]
    return lines + [
        "static void %s_close(void *store)" % row,
        "{",
        "    %s_close(store);" % prefix,
        "}",
    ]

def _adapt_row(row):
    """The entry of a row in comb_row_interfaces, and what it needs."""
    lines = _adapt_slots(row)
    table = []
    for scheme, driver in DRIVERS[row].items():
        lines += _adapt_open(row, scheme, driver)
        table.append("    {\"%s\", \"%s\", %s, %s_%s_open}," % (
            scheme,
            driver.url,
            "true" if getattr(driver, "shared", False) else "false",
            row,
            scheme,
        ))
    lines += ["static const struct comb_row_driver %s_drivers[] = {" % row] + table + ["};"]
    slots = "%s_check, %s_status" % (row, row) if getattr(ROWS[row], "checked", True) else "NULL, NULL"
    entry = "    [COMB_ROW_%s] = {%s_drivers, %d, %s, %s_close}," % (row.upper(), row, len(table), slots, row)
    return lines, entry

def row_drivers(name, hdrs, deps):
    """The library of all drivers of all rows, with the table that combd opens them from.

    Args:
      name: of the library.
      hdrs: server/row_drivers.h, which declares the table `comb_row_interfaces`.
      deps: what hdrs need.
    """
    headers = {ROWS[row].header: True for row in ROWS}
    headers.update({
        driver.header: True
        for row in ROWS
        for driver in DRIVERS[row].values()
        if hasattr(driver, "header")
    })
    late = {
        library: True
        for row in ROWS
        for driver in DRIVERS[row].values()
        for library in getattr(driver, "late", [])
    }
    headers.update({"server/core/library.h": True, "server/row_drivers.h": True})
    lines = ["#include \"%s\"" % header for header in sorted(headers)]
    lines += ["extern const struct comb_library comb_library_%s;" % library for library in sorted(late)]
    entries = []
    for row in sorted(ROWS):
        adapters, entry = _adapt_row(row)
        lines += adapters
        entries.append(entry)
    lines += ["const struct comb_row_interface comb_row_interfaces[COMB_ROWS] = {"] + entries + ["};"]
    native.genrule(
        name = name + "_table",
        outs = [name + "_table.c"],
        cmd = "cat > $@ <<'END'\n" + "\n".join(lines) + "\nEND",
    )
    c_library(
        name = name,
        srcs = [name + "_table.c"],
        hdrs = hdrs,
        deps = depset(
            deps + ["//server/core:library"] + ["@%s//:late" % library for library in sorted(late)] +
            [row.dep for row in ROWS.values()] +
            [driver.dep for row in ROWS for driver in DRIVERS[row].values()],
        ).to_list(),
    )
