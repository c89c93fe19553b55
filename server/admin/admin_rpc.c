/* SPDX-License-Identifier: Apache-2.0 */
#include "server/admin/admin_rpc.h"

#include "comb/v1/admin.grpcc.h"
#include "google/protobuf/timestamp.grpcc.h"
#include "server/rpc/rpc.h"

#define DRAIN_MS_MAX 600000

static bool add_rows(struct grpcc_arena *arena, const struct comb_admin *admin,
                     struct comb_v1_admin_info_response *response)
{
    for (size_t i = 0; i < admin->n_rows; i++) {
        const struct comb_admin_row *row = &admin->rows[i];
        struct comb_v1_admin_driver *driver = comb_v1_admin_driver_new(arena);
        if (!driver)
            return false;
        comb_v1_admin_driver_set_row(driver, row->row);
        comb_v1_admin_driver_set_url(driver, row->url);
        comb_v1_admin_driver_set_driver(driver, row->driver);
        comb_v1_admin_driver_set_store(driver, row->store);
        driver->shared = row->shared;
        if (!comb_v1_admin_info_response_add_drivers(arena, response, driver))
            return false;
    }
    return true;
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
    size_t n = admin->read_counters(admin->data, pairs, &response->feed_position);
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
    response->start_time = google_protobuf_timestamp_new(arena);
    if (!response->replica_id || !response->installation_id || !response->start_time)
        return false;
    response->start_time->seconds = admin->start_us / 1000000;
    response->start_time->nanos = (int32_t)(admin->start_us % 1000000 * 1000);
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

static const struct comb_v1_admin_server table = {.info = info, .drain = drain};

enum comb_status comb_admin_rpc_register(struct grpcc_server *server, struct comb_admin *admin,
                                         struct comb_error *err)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (comb_v1_admin_register(server, &table, admin, &failure) != GRPCC_OK)
        return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Admin: %.200s", failure.message);
    return COMB_OK;
}
