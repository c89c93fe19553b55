/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows and the drivers that this build has for them: what bazel/drivers.bzl lists, as a table.
 */
#ifndef COMB_ROW_DRIVERS_H
#define COMB_ROW_DRIVERS_H

#include "server/core/store.h"

/* In the order in which they are opened: the vault first, since others' credentials may lie in it.
 */
enum comb_row {
    COMB_ROW_VAULT,
    COMB_ROW_CONFIG,
    COMB_ROW_SQL,
    COMB_ROW_DATA,
    COMB_ROW_CACHE,
    COMB_ROW_REGISTRY,
    COMB_ROW_EVENTS,
    COMB_ROW_DOCS,
    COMB_ROWS
};

struct comb_row_driver {
    const char *scheme; /* of its URLs: "sqlite" */
    const char *url;    /* their form: "sqlite:PATH" */
    bool shared;        /* other processes may use the store at the same time */
    /* Looks at URL and credentials only. *ret_store: what the row's interface is called with. */
    enum comb_status (*open)(const struct comb_store_options *options, void **ret_store,
                             struct comb_error *err);
};

/* A row's drivers, and what all rows do with a store. */
struct comb_row_interface {
    const struct comb_row_driver *drivers;
    size_t n_drivers; /* 0: this build does not have the row */
    /* Both NULL where the row cannot be asked. */
    enum comb_status (*check)(void *store, struct comb_ctx *ctx, struct comb_error *err);
    void (*status)(void *store, struct comb_store_status *ret_status);
    void (*close)(void *store);
};

/* Made from bazel/drivers.bzl. */
extern const struct comb_row_interface comb_row_interfaces[COMB_ROWS];

/* What follows the scheme's colon. */
static inline comb_str comb_row_url_rest(comb_str url)
{
    const char *colon = url.len > 0 ? memchr(url.ptr, ':', url.len) : NULL;
    size_t skip = colon ? (size_t)(colon - url.ptr) + 1 : url.len;
    return comb_str_of(url.ptr + skip, url.len - skip);
}

#endif
