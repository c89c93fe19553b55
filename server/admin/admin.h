/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one replica tells of itself, and how it is asked to stop. Filled by the program that
 * assembles the server; read by the handler.
 */
#ifndef COMB_ADMIN_H
#define COMB_ADMIN_H

#include <stddef.h>
#include <stdint.h>

#include "server/core/str.h"
#include "server/core/uuid.h"

#define COMB_ADMIN_ROWS_MAX 16
#define COMB_ADMIN_COUNTERS_MAX 64
#define COMB_ADMIN_LIBRARIES_MAX 16

struct comb_admin_row {
    const char *row;    /* "sql" */
    const char *url;    /* without secrets */
    const char *driver; /* "sqlite" */
    const char *store;  /* "SQLite 3.40.1" */
    bool shared;
};

struct comb_admin_pair {
    const char *name;
    uint64_t value;
};

struct comb_admin_library {
    const char *name, *version;
};

/* Everything but the counters is constant after start. */
struct comb_admin {
    struct comb_uuid replica, installation;
    int64_t start_us;
    const char *listen, *admin_listen;
    struct comb_admin_row rows[COMB_ADMIN_ROWS_MAX];
    size_t n_rows;
    struct comb_admin_library libraries[COMB_ADMIN_LIBRARIES_MAX];
    size_t n_libraries;
    /* Fills up to COMB_ADMIN_COUNTERS_MAX counters and the position of the facts; any thread. */
    size_t (*read_counters)(void *data, struct comb_admin_pair *ret_counters,
                            uint64_t *ret_feed_position);
    /* Begins the drain and returns at once; a second one changes nothing. UINT32_MAX: as
     * configured. */
    void (*drain)(void *data, uint32_t delay_ms, uint32_t grace_ms);
    bool (*is_draining)(void *data);
    void *data;
};

#endif
