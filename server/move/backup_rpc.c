/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "comb/v1/admin.grpcc.h"
#include "server/core/log.h"
#include "server/move/move_rpc.h"
#include "server/rpc/rpc.h"

/* Bytes of one message. */
#define PIECE_BYTES_MAX (1u << 20)

static enum comb_status send_response(struct grpcc_call *call,
                                      const struct comb_v1_admin_backup_response *response,
                                      struct comb_error *err)
{
    struct grpcc_error native = GRPCC_ERROR_INIT;
    if (comb_v1_admin_backup_send(call, response, &native) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, (enum comb_status)native.status, 0, "%.200s", native.message);
}

static enum comb_status send_bytes(void *data, comb_str bytes, struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    enum comb_status status = arena ? COMB_OK : comb_error_no_memory(err);
    while (status == COMB_OK && bytes.len > 0) {
        size_t n = bytes.len < PIECE_BYTES_MAX ? bytes.len : PIECE_BYTES_MAX;
        struct comb_v1_admin_backup_response *response = comb_v1_admin_backup_response_new(arena);
        if (!response) {
            status = comb_error_no_memory(err);
            break;
        }
        response->content.data = (uint8_t *)(uintptr_t)bytes.ptr;
        response->content.len = n;
        status = send_response(data, response, err);
        bytes = comb_str_of(bytes.ptr + n, bytes.len - n);
        grpcc_arena_reset(arena);
    }
    grpcc_arena_free(arena);
    return status;
}

/* Whether the caller is still there. */
static bool tell(void *data, const char *what, comb_str part, uint64_t records, uint64_t bytes)
{
    (void)what;
    (void)part;
    (void)records;
    (void)bytes;
    return !grpcc_call_is_cancelled(data);
}

static enum comb_status send_end(struct grpcc_call *call, const struct comb_backup_facts *facts,
                                 struct comb_error *err)
{
    struct comb_v1_admin_backup_response *end =
        comb_v1_admin_backup_response_new(grpcc_call_arena(call));
    if (!end)
        return comb_error_no_memory(err);
    end->done = true;
    end->records = facts->records;
    end->bytes = facts->bytes;
    end->missing_contents = facts->faults.missing;
    end->damaged_contents = facts->faults.damaged;
    comb_v1_admin_backup_response_set_first_fault(end, facts->faults.first);
    comb_log(COMB_LOG_INFO, "move", "a backup was made",
             comb_log_integer("records", (int64_t)facts->records),
             comb_log_integer("bytes", (int64_t)facts->bytes));
    return send_response(call, end, err);
}

void comb_move_rpc_backup(void *self, struct grpcc_call *call,
                          const struct comb_v1_admin_backup_request *request)
{
    const struct comb_move_rpc *rpc = self;
    const struct comb_move_progress progress = {tell, call};
    struct comb_archive_writer *writer = NULL;
    struct comb_backup_facts facts;
    struct comb_error err = {0};
    struct comb_request_key once;
    enum comb_status status =
        comb_rpc_request_key(call, request->request_id, &request->base, &once, &err);
    if (status == COMB_OK && request->key.len != COMB_ARCHIVE_KEY_SIZE)
        status = comb_error_field(&err, "key", "must be %d random bytes", COMB_ARCHIVE_KEY_SIZE);
    if (status == COMB_OK)
        status = comb_archive_writer_new(request->key.data, send_bytes, call, &writer, &err);
    if (status == COMB_OK)
        status = comb_backup_write(&rpc->rows, writer, &progress, &facts, &err);
    comb_archive_writer_free(writer);
    if (status == COMB_OK)
        status = send_end(call, &facts, &err);
    if (status == COMB_OK)
        grpcc_call_finish_ok(call);
    else
        comb_rpc_fail(call, &err);
}
