/* SPDX-License-Identifier: Apache-2.0 */
#include "server/admin/admin_rpc.h"

#include <string.h>

#include "comb/v1/admin.grpcc.h"
#include "google/protobuf/timestamp.grpcc.h"
#include "server/core/clock.h"
#include "server/core/log.h"
#include "server/core/timestamp.h"
#include "server/rpc/rpc.h"

#define DRAIN_MS_MAX 600000
/* What one row may take for its answer, unless the caller says. */
#define CHECK_MS 5000
#define CHECK_MS_MAX 10000

/* ---- Info ---- */

static bool add_rows(struct grpcc_arena *arena, const struct comb_admin *admin,
                     struct comb_v1_admin_info_response *response)
{
    struct comb_admin_store *stores =
        grpcc_arena_calloc(arena, COMB_ADMIN_ROWS_MAX, sizeof *stores);
    size_t n = stores ? admin->read_stores(admin->view, stores) : 0;
    for (size_t i = 0; i < n; i++) {
        struct comb_v1_admin_driver *driver = comb_v1_admin_driver_new(arena);
        if (!driver)
            return false;
        comb_v1_admin_driver_set_row(driver, stores[i].row);
        comb_v1_admin_driver_set_url(driver, stores[i].url);
        comb_v1_admin_driver_set_driver(driver, stores[i].status.driver);
        comb_v1_admin_driver_set_store(driver, stores[i].status.server);
        driver->shared = stores[i].status.shared;
        if (!comb_v1_admin_info_response_add_drivers(arena, response, driver))
            return false;
    }
    return stores != NULL;
}

static bool add_libraries(struct grpcc_arena *arena, const struct comb_admin *admin,
                          struct comb_v1_admin_info_response *response)
{
    for (size_t i = 0; i < admin->n_libraries; i++) {
        struct comb_v1_admin_library *library = comb_v1_admin_library_new(arena);
        if (!library)
            return false;
        comb_v1_admin_library_set_name(library, admin->libraries[i].name);
        comb_v1_admin_library_set_version(library, admin->libraries[i].version);
        if (!comb_v1_admin_info_response_add_libraries(arena, response, library))
            return false;
    }
    return true;
}

static bool add_counters(struct grpcc_arena *arena, const struct comb_admin *admin,
                         struct comb_v1_admin_info_response *response)
{
    struct comb_admin_pair pairs[COMB_ADMIN_COUNTERS_MAX];
    size_t n = admin->read_counters(admin->view, pairs, &response->feed_position);
    for (size_t i = 0; i < n; i++) {
        struct comb_v1_admin_counter *counter = comb_v1_admin_counter_new(arena);
        if (!counter)
            return false;
        comb_v1_admin_counter_set_name(counter, pairs[i].name);
        counter->value = pairs[i].value;
        if (!comb_v1_admin_info_response_add_counters(arena, response, counter))
            return false;
    }
    return true;
}

/* The names and addresses are constants of the process: they are borrowed, not copied. */
static bool fill_info(struct grpcc_arena *arena, const struct comb_admin *admin,
                      struct comb_v1_admin_info_response *response)
{
    comb_v1_admin_info_response_set_version(response, COMB_VERSION);
    response->replica_id = comb_uuid_text(arena, &admin->replica);
    response->installation_id = comb_uuid_text(arena, &admin->installation);
    response->start_time = comb_timestamp_new(arena, admin->start_us);
    if (!response->replica_id || !response->installation_id || !response->start_time)
        return false;
    response->draining = admin->is_draining(admin->data);
    return comb_v1_admin_info_response_add_listen_addresses(arena, response, admin->listen) &&
           comb_v1_admin_info_response_add_admin_addresses(arena, response, admin->admin_listen) &&
           add_rows(arena, admin, response) && add_libraries(arena, admin, response) &&
           add_counters(arena, admin, response);
}

static void info(void *self, struct grpcc_call *call,
                 const struct comb_v1_admin_info_request *request)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_admin_info_response *response = comb_v1_admin_info_response_new(arena);
    struct comb_error err = {0};
    (void)request;
    if (!response || !fill_info(arena, self, response)) {
        comb_error_no_memory(&err);
        comb_rpc_fail(call, &err);
        return;
    }
    comb_v1_admin_info_finish(call, response);
}

/* ---- Stores, Check ---- */

static struct comb_v1_admin_store *store_message(struct grpcc_arena *arena,
                                                 const struct comb_admin_store *store)
{
    static const enum comb_v1_admin_store_state states[] = {
        [COMB_STORE_STARTING] = COMB_V1_ADMIN_STORE_STATE_STARTING,
        [COMB_STORE_UP] = COMB_V1_ADMIN_STORE_STATE_UP,
        [COMB_STORE_DOWN] = COMB_V1_ADMIN_STORE_STATE_DOWN};
    const struct comb_store_status *status = &store->status;
    struct comb_v1_admin_store *message = comb_v1_admin_store_new(arena);
    if (!message)
        return NULL;
    /* Borrowed: they live in the arena, or as long as the process. */
    comb_v1_admin_store_set_row(message, store->row);
    comb_v1_admin_store_set_url(message, store->url);
    comb_v1_admin_store_set_driver(message, status->driver);
    comb_v1_admin_store_set_server(message, status->server);
    comb_v1_admin_store_set_error(message, status->error);
    message->shared = status->shared;
    message->state = states[status->state];
    message->connections = status->connections;
    message->in_flight = status->in_flight;
    message->requests = status->requests;
    message->failures = status->failures;
    message->reconnects = status->reconnects;
    return comb_timestamp_set(arena, status->since_us, &message->since_time) ? message : NULL;
}

static void stores(void *self, struct grpcc_call *call,
                   const struct comb_v1_admin_stores_request *request)
{
    const struct comb_admin *admin = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_admin_stores_response *response = comb_v1_admin_stores_response_new(arena);
    struct comb_admin_store *found = grpcc_arena_calloc(arena, COMB_ADMIN_ROWS_MAX, sizeof *found);
    struct comb_error err = {0};
    (void)request;
    size_t n = found ? admin->read_stores(admin->view, found) : 0;
    bool ok = response && found;
    for (size_t i = 0; ok && i < n; i++) {
        struct comb_v1_admin_store *message = store_message(arena, &found[i]);
        ok = message && comb_v1_admin_stores_response_add_stores(arena, response, message);
    }
    comb_rpc_finish(call, ok ? COMB_OK : comb_error_no_memory(&err), ok ? &response->base : NULL,
                    &err);
}

/* The name of the row in found; NULL: there is none. */
static const struct comb_admin_store *find_store(const struct comb_admin_store *found, size_t n,
                                                 const char *row)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(found[i].row, row) == 0)
            return &found[i];
    return NULL;
}

/* Asks one, and says how that went. */
static bool add_check(const struct comb_admin *admin, struct comb_ctx *ctx,
                      const struct comb_admin_store *store, uint32_t timeout_ms,
                      struct comb_v1_admin_check_response *response)
{
    struct comb_v1_admin_check *check = comb_v1_admin_check_new(ctx->arena);
    struct comb_error err = {0};
    int64_t begin_ns = comb_clock_monotonic_ns(), whole_ns = ctx->deadline_ns;
    int64_t own_ns = begin_ns + timeout_ms * COMB_NS_PER_MS;
    if (!check)
        return false;
    ctx->deadline_ns = own_ns < whole_ns ? own_ns : whole_ns;
    check->ok = admin->check_store(admin->view, store->row, ctx, &err) == COMB_OK;
    ctx->deadline_ns = whole_ns;
    check->duration_ms = (uint32_t)((comb_clock_monotonic_ns() - begin_ns) / COMB_NS_PER_MS);
    comb_v1_admin_check_set_row(check, store->row);
    check->message = grpcc_arena_printf(ctx->arena, "%s%s%s", check->ok ? store->url : err.msg,
                                        check->ok && store->status.server[0] ? ": " : "",
                                        check->ok ? store->status.server : "");
    return check->message && comb_v1_admin_check_response_add_checks(ctx->arena, response, check);
}

static enum comb_status check_all(const struct comb_admin *admin, struct comb_ctx *ctx,
                                  const struct comb_v1_admin_check_request *request,
                                  struct comb_v1_admin_check_response *response,
                                  struct comb_error *err)
{
    struct comb_admin_store *found =
        grpcc_arena_calloc(ctx->arena, COMB_ADMIN_ROWS_MAX, sizeof *found);
    uint32_t timeout_ms = request->has_timeout_ms ? request->timeout_ms : CHECK_MS;
    if (!found)
        return comb_error_no_memory(err);
    if (timeout_ms == 0 || timeout_ms > CHECK_MS_MAX)
        return comb_error_field(err, "timeout_ms", "must be 1 to %d", CHECK_MS_MAX);
    size_t n = admin->read_stores(admin->view, found), n_asked = request->n_rows;
    for (size_t i = 0; i < n_asked; i++)
        if (n_asked > n || !find_store(found, n, request->rows[i]))
            return comb_error_field(err, "rows", "names a row that this replica does not have");
    for (size_t i = 0; i < (n_asked ? n_asked : n); i++) {
        const struct comb_admin_store *store =
            n_asked ? find_store(found, n, request->rows[i]) : &found[i];
        if (!add_check(admin, ctx, store, timeout_ms, response))
            return comb_error_no_memory(err);
    }
    return n_asked ? COMB_OK : admin->consumers.warn(admin->consumers.data, ctx, response, err);
}

static void check(void *self, struct grpcc_call *call,
                  const struct comb_v1_admin_check_request *request)
{
    struct comb_v1_admin_check_response *response =
        comb_v1_admin_check_response_new(grpcc_call_arena(call));
    struct comb_error err = {0};
    enum comb_status status = response
                                  ? check_all(self, comb_rpc_ctx(call), request, response, &err)
                                  : comb_error_no_memory(&err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- Statistics ---- */

static bool is_asked(const struct comb_v1_admin_statistics_request *request, const char *group)
{
    for (size_t i = 0; i < request->n_groups; i++)
        if (strcmp(request->groups[i], group) == 0)
            return true;
    return request->n_groups == 0;
}

static bool fill_statistics(struct grpcc_arena *arena, const struct comb_admin_statistic *read,
                            size_t n, const struct comb_v1_admin_statistics_request *request,
                            struct comb_v1_admin_statistics_response *response)
{
    struct comb_v1_admin_statistics_group *group = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!is_asked(request, read[i].group))
            continue;
        if (!group || strcmp(group->name, read[i].group) != 0) {
            group = comb_v1_admin_statistics_group_new(arena);
            if (!group || !comb_v1_admin_statistics_response_add_groups(arena, response, group))
                return false;
            comb_v1_admin_statistics_group_set_name(group, read[i].group);
        }
        struct comb_v1_admin_counter *counter = comb_v1_admin_counter_new(arena);
        if (!counter)
            return false;
        comb_v1_admin_counter_set_name(counter, read[i].name);
        counter->value = read[i].value;
        if (!comb_v1_admin_statistics_group_add_counters(arena, group, counter))
            return false;
    }
    return true;
}

static void statistics(void *self, struct grpcc_call *call,
                       const struct comb_v1_admin_statistics_request *request)
{
    const struct comb_admin *admin = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_admin_statistics_response *response =
        comb_v1_admin_statistics_response_new(arena);
    struct comb_admin_statistic *read =
        grpcc_arena_calloc(arena, COMB_ADMIN_STATISTICS_MAX, sizeof *read);
    struct comb_error err = {0};
    size_t n = read ? admin->read_statistics(admin->view, comb_rpc_ctx(call), read) : 0;
    bool ok = response && read && fill_statistics(arena, read, n, request, response);
    comb_rpc_finish(call, ok ? COMB_OK : comb_error_no_memory(&err), ok ? &response->base : NULL,
                    &err);
}

/* ---- SetLogLevel, Drain ---- */

static void set_log_level(void *self, struct grpcc_call *call,
                          const struct comb_v1_admin_set_log_level_request *request)
{
    struct comb_v1_admin_set_log_level_response *response =
        comb_v1_admin_set_log_level_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_error err = {0};
    (void)self;
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK && !request->levels[0])
        status = comb_error_field(&err, "levels", "is empty: give \"all=info\" for the default");
    if (status == COMB_OK)
        status = comb_log_set_levels(comb_str_from(request->levels), &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static enum comb_status check_limit(const char *field, bool given, uint32_t value,
                                    struct comb_error *err)
{
    if (given && value > DRAIN_MS_MAX)
        return comb_error_field(err, field, "must be at most %d milliseconds", DRAIN_MS_MAX);
    return COMB_OK;
}

static void drain(void *self, struct grpcc_call *call,
                  const struct comb_v1_admin_drain_request *request)
{
    const struct comb_admin *admin = self;
    struct comb_v1_admin_drain_response *response =
        comb_v1_admin_drain_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = check_limit("delay_ms", request->has_delay_ms, request->delay_ms, &err);
    if (status == COMB_OK)
        status = check_limit("grace_ms", request->has_grace_ms, request->grace_ms, &err);
    if (status != COMB_OK) {
        comb_rpc_fail(call, &err);
        return;
    }
    admin->drain(admin->data, request->has_delay_ms ? request->delay_ms : UINT32_MAX,
                 request->has_grace_ms ? request->grace_ms : UINT32_MAX);
    comb_v1_admin_drain_finish(call, response);
}

/* ---- consumers ---- */

static void consumers(void *self, struct grpcc_call *call,
                      const struct comb_v1_admin_consumers_request *request)
{
    const struct comb_admin *admin = self;
    admin->consumers.list(admin->consumers.data, call, request);
}

static void list_set_aside(void *self, struct grpcc_call *call,
                           const struct comb_v1_admin_list_set_aside_request *request)
{
    const struct comb_admin *admin = self;
    admin->consumers.list_set_aside(admin->consumers.data, call, request);
}

static void retry_set_aside(void *self, struct grpcc_call *call,
                            const struct comb_v1_admin_retry_set_aside_request *request)
{
    const struct comb_admin *admin = self;
    admin->consumers.retry_set_aside(admin->consumers.data, call, request);
}

/* ---- moving house ---- */

static void backup(void *self, struct grpcc_call *call,
                   const struct comb_v1_admin_backup_request *request)
{
    const struct comb_admin *admin = self;
    admin->move.backup(admin->move.data, call, request);
}

static void move_row(void *self, struct grpcc_call *call,
                     const struct comb_v1_admin_move_row_request *request)
{
    const struct comb_admin *admin = self;
    admin->move.row(admin->move.row_data, call, request);
}

static const struct comb_v1_admin_server table = {
    .info = info,
    .stores = stores,
    .check = check,
    .statistics = statistics,
    .set_log_level = set_log_level,
    .drain = drain,
    .consumers = consumers,
    .list_set_aside = list_set_aside,
    .retry_set_aside = retry_set_aside,
    .backup = backup,
    .move_row = move_row,
};

enum comb_status comb_admin_rpc_register(struct grpcc_server *server, struct comb_admin *admin,
                                         struct comb_error *err)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (comb_v1_admin_register(server, &table, admin, &failure) != GRPCC_OK)
        return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Admin: %.200s", failure.message);
    return COMB_OK;
}
