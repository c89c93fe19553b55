/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one replica tells of itself, and how it is asked to stop. Filled by the program that
 * assembles the server; read by the handler.
 */
#ifndef COMB_ADMIN_H
#define COMB_ADMIN_H

#include <stddef.h>
#include <stdint.h>

#include "server/core/store.h"

struct comb_v1_admin_backup_request;
struct comb_v1_admin_check_response;
struct comb_v1_admin_consumers_request;
struct comb_v1_admin_list_set_aside_request;
struct comb_v1_admin_move_row_request;
struct comb_v1_admin_retry_set_aside_request;
struct grpcc_call;

#define COMB_ADMIN_ROWS_MAX 16
#define COMB_ADMIN_COUNTERS_MAX 64
#define COMB_ADMIN_LIBRARIES_MAX 16
#define COMB_ADMIN_STATISTICS_MAX 192

/* A row that is open. */
struct comb_admin_store {
    const char *row; /* "sql" */
    const char *url; /* without secrets */
    struct comb_store_status status;
};

struct comb_admin_pair {
    const char *name;
    uint64_t value;
};

/* Those of a group come one behind the other. */
struct comb_admin_statistic {
    const char *group, *name; /* in ctx's arena, or static */
    uint64_t value;
};

struct comb_admin_library {
    const char *name, *version;
};

/* The members are constant after start. The functions may be called on any thread, at once. */
struct comb_admin {
    struct comb_uuid replica, installation;
    int64_t start_us;
    const char *listen, *admin_listen;
    const char *advertise; /* where the API is reached by others */
    struct comb_admin_library libraries[COMB_ADMIN_LIBRARIES_MAX];
    size_t n_libraries;
    /* Fills up to COMB_ADMIN_COUNTERS_MAX counters and the position of the facts. */
    size_t (*read_counters)(void *view, struct comb_admin_pair *ret_counters,
                            uint64_t *ret_feed_position);
    /* Fills up to COMB_ADMIN_ROWS_MAX rows; asks no store. */
    size_t (*read_stores)(void *view, struct comb_admin_store *ret_stores);
    /* Asks the store of a row, within ctx's deadline; the error says what to do. Blocks. */
    enum comb_status (*check_store)(void *view, const char *row, struct comb_ctx *ctx,
                                    struct comb_error *err);
    /* Fills up to COMB_ADMIN_STATISTICS_MAX; leaves out what its store does not answer. Blocks. */
    size_t (*read_statistics)(void *view, struct comb_ctx *ctx,
                              struct comb_admin_statistic *ret_statistics);
    void *view;
    /* The methods about consumers are those of their area; they get data. */
    struct {
        void (*list)(void *data, struct grpcc_call *call,
                     const struct comb_v1_admin_consumers_request *request);
        void (*list_set_aside)(void *data, struct grpcc_call *call,
                               const struct comb_v1_admin_list_set_aside_request *request);
        void (*retry_set_aside)(void *data, struct grpcc_call *call,
                                const struct comb_v1_admin_retry_set_aside_request *request);
        enum comb_status (*warn)(void *data, struct comb_ctx *ctx,
                                 struct comb_v1_admin_check_response *response,
                                 struct comb_error *err);
        void *data;
    } consumers;
    /* Likewise those about moving house. */
    struct {
        void (*backup)(void *data, struct grpcc_call *call,
                       const struct comb_v1_admin_backup_request *request);
        void *data;
        void (*row)(void *row_data, struct grpcc_call *call,
                    const struct comb_v1_admin_move_row_request *request);
        void *row_data;
    } move;
    /* Begins the drain and returns at once; a second one changes nothing. UINT32_MAX: as
     * configured. */
    void (*drain)(void *data, uint32_t delay_ms, uint32_t grace_ms);
    bool (*is_draining)(void *data);
    void *data;
};

#endif
