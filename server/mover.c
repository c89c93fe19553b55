/* SPDX-License-Identifier: Apache-2.0 */
#include "server/mover.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "comb/v1/admin.grpcc.h"
#include "server/core/clock.h"
#include "server/core/log.h"
#include "server/incarnation.h"
#include "server/move/state.h"
#include "server/rpc/rpc.h"
#include "server/services.h"

#define STEP_MS 60000
/* Between two messages about how far it is. */
#define TELL_MS 200

struct move {
    struct comb_mover *mover;
    struct grpcc_call *call;
    struct grpcc_arena *arena;
    enum comb_row row;
    const char *url;
    struct comb_options options; /* this server's, but for the new store */
    struct comb_rows to;
    struct comb_docs_stores to_docs;
    struct comb_move_row *names, *from, *into; /* names: data only, the sql row */
    struct comb_move_faults faults;
    bool resumes;  /* it was begun before */
    bool is_whole; /* and had come to its end */
    int64_t told_ns;
};

static struct comb_ctx step(struct move *move)
{
    grpcc_arena_reset(move->arena);
    return (struct comb_ctx){.arena = move->arena, .deadline_ns = comb_clock_in_ms(STEP_MS)};
}

/* ---- which row ---- */

static enum comb_status find_row(const char *name, enum comb_row *ret_row, struct comb_error *err)
{
    *ret_row = comb_row_find(name);
    switch (*ret_row) {
    case COMB_ROW_SQL:
    case COMB_ROW_VAULT:
    case COMB_ROW_CONFIG:
    case COMB_ROW_DATA:
    case COMB_ROW_DOCS:
        return COMB_OK;
    case COMB_ROWS:
        return comb_error_field(err, "row", "must be sql, vault, config, data or docs");
    default:
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "%s: nothing in it lasts, so there is nothing to move: start with "
                              "the new --%s",
                              name, name);
    }
}

/* ---- the new store ---- */

static enum comb_status open_new(struct move *move, const char *credentials_file,
                                 struct comb_error *err)
{
    const char *file = credentials_file[0] ? credentials_file : NULL;
    struct comb_options *options = &move->options;
    *options = *move->mover->rows->options;
    options->vault_token_file = options->vault_approle_file = options->vault_passphrase_file = NULL;
    switch (move->row) {
    case COMB_ROW_SQL:
        options->sql = move->url;
        options->sql_credentials_file = file;
        break;
    case COMB_ROW_VAULT:
        options->vault = move->url;
        options->vault_token_file = file;
        break;
    case COMB_ROW_CONFIG:
        options->config = move->url;
        options->config_credentials_file = file;
        break;
    case COMB_ROW_DOCS:
        options->docs = move->url;
        options->docs_credentials_file = file;
        break;
    default:
        options->data = move->url;
        options->data_credentials_file = file;
    }
    if (strcmp(move->mover->rows->rows[move->row].url, move->url) == 0)
        return comb_error_field(err, "url", "is where the row is already");
    struct comb_ctx ctx = step(move);
    enum comb_status status = comb_rows_init(&move->to, options, "", err);
    if (status == COMB_OK)
        status = comb_rows_open_one(&move->to, move->row, &ctx, err);
    if (status == COMB_OK)
        status = comb_rows_ask(&move->to, move->row, &ctx, err);
    if (status == COMB_OK && move->row == COMB_ROW_SQL)
        status = comb_services_migrate(comb_rows_store(&move->to, COMB_ROW_SQL), err);
    if (status == COMB_OK && move->row == COMB_ROW_DOCS)
        status =
            comb_services_open_docs(comb_rows_store(&move->to, COMB_ROW_DOCS), &move->to_docs, err);
    return status;
}

/* Both sides as streams; the old one as it is now, so not before changes are refused. */
static enum comb_status make_streams(struct move *move, struct comb_error *err)
{
    const struct comb_backup_rows *open = &move->mover->open;
    void *store = comb_rows_store(&move->to, move->row);
    struct comb_sql_snapshot *snapshot = NULL;
    enum comb_status status;
    switch (move->row) {
    case COMB_ROW_SQL:
        status = comb_move_sql_new(open->sql, &move->from, err);
        if (status == COMB_OK)
            status = comb_move_sql_new(store, &move->into, err);
        return status;
    case COMB_ROW_VAULT:
        status = comb_move_vault_new(open->vault, &move->from, err);
        return status == COMB_OK ? comb_move_vault_new(store, &move->into, err) : status;
    case COMB_ROW_CONFIG:
        status = comb_move_config_new(open->config, &move->from, err);
        return status == COMB_OK ? comb_move_config_new(store, &move->into, err) : status;
    case COMB_ROW_DOCS:
        status = comb_move_docs_new(&open->docs, &move->from, err);
        return status == COMB_OK ? comb_move_docs_new(&move->to_docs, &move->into, err) : status;
    default:
        status = comb_move_sql_new(open->sql, &move->names, err);
        if (status == COMB_OK)
            status = comb_move_sql_hold(move->names, &snapshot, err);
        if (status == COMB_OK)
            status = comb_move_data_new(open->blobs, snapshot, &move->from, err);
        return status == COMB_OK ? comb_move_data_new(store, snapshot, &move->into, err) : status;
    }
}

static void close_all(struct move *move)
{
    comb_move_row_free(move->from);
    comb_move_row_free(move->into);
    comb_move_row_free(move->names);
    comb_services_close_docs(&move->to_docs);
    comb_rows_done(&move->to);
    grpcc_arena_free(move->arena);
}

static enum comb_status must_be_empty(struct comb_move_row *into, struct comb_error *err)
{
    bool empty = false;
    enum comb_status status = into->ops->is_empty(into, &empty, err);
    if (status == COMB_OK && !empty)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "there is something in the new store already: a row is moved into an "
                              "empty one");
    return status;
}

/* The new sql row says of itself what is put into it, so that no server starts on a part of it. */
static enum comb_status prepare_sql(struct move *move, struct comb_error *err)
{
    struct comb_sql *sql = comb_rows_store(&move->to, COMB_ROW_SQL);
    struct comb_ctx ctx = step(move);
    struct comb_move_state filling = {.phase = COMB_MOVE_FILLING}, is;
    struct comb_sql_info old, new;
    comb_sql_get_info(move->mover->open.sql, &old);
    comb_sql_get_info(sql, &new);
    comb_uuid_format(&old.installation, filling.other);
    enum comb_status status = comb_move_state_get(sql, &ctx, &is, err);
    if (status != COMB_OK)
        return status;
    if (is.phase == COMB_MOVE_FILLING && strcmp(is.other, filling.other) == 0)
        return COMB_OK;
    move->is_whole = move->resumes && is.phase == COMB_MOVE_NONE &&
                     comb_uuid_equal(&old.installation, &new.installation);
    if (move->is_whole)
        return COMB_OK;
    status = must_be_empty(move->into, err);
    if (status == COMB_OK)
        status = move->into->ops->prepare(move->into, err);
    if (status == COMB_OK)
        status = comb_move_state_set(sql, &ctx, &filling, err);
    return status;
}

/* ---- the old store ---- */

static enum comb_status look(struct move *move, struct comb_error *err)
{
    struct comb_ctx ctx = step(move);
    struct comb_move_state is;
    enum comb_status status = comb_move_state_get(move->mover->open.sql, &ctx, &is, err);
    if (status != COMB_OK || is.phase == COMB_MOVE_NONE)
        return status;
    if (strcmp(is.row, comb_row_name(move->row)) != 0 || strcmp(is.other, move->url) != 0)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "the row %s is being moved to %.120s: go on with that, or give it up "
                              "(comb admin move-row --abandon)",
                              is.row, is.other);
    move->resumes = true;
    move->is_whole = is.phase == COMB_MOVE_MOVED;
    return COMB_OK;
}

static enum comb_status say_phase(struct move *move, enum comb_move_phase phase,
                                  struct comb_error *err)
{
    struct comb_ctx ctx = step(move);
    struct comb_move_state state = {.phase = phase};
    if (strlen(move->url) >= sizeof state.other)
        return comb_error_field(err, "url", "is too long");
    snprintf(state.row, sizeof state.row, "%s", comb_row_name(move->row));
    snprintf(state.other, sizeof state.other, "%s", move->url);
    return comb_move_state_set(move->mover->open.sql, &ctx, &state, err);
}

/* ---- how far it is ---- */

static enum comb_status send_response(struct move *move,
                                      const struct comb_v1_admin_move_row_response *response,
                                      struct comb_error *err)
{
    struct grpcc_error native = GRPCC_ERROR_INIT;
    if (response && comb_v1_admin_move_row_send(move->call, response, &native) == GRPCC_OK)
        return COMB_OK;
    return response
               ? comb_error_set(err, (enum comb_status)native.status, 0, "%.200s", native.message)
               : comb_error_no_memory(err);
}

static bool tell(void *data, const char *what, comb_str part, uint64_t records, uint64_t bytes)
{
    struct move *move = data;
    int64_t now_ns = comb_clock_monotonic_ns();
    if (grpcc_call_is_cancelled(move->call))
        return false;
    if (now_ns - move->told_ns < TELL_MS * COMB_NS_PER_MS)
        return true;
    move->told_ns = now_ns;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_admin_move_row_response *response =
        arena ? comb_v1_admin_move_row_response_new(arena) : NULL;
    bool ok = response && (response->part = comb_str_dup(arena, part)) != NULL;
    if (ok) {
        comb_v1_admin_move_row_response_set_doing(response, what);
        response->records = records;
        response->bytes = bytes;
        ok = send_response(move, response, NULL) == COMB_OK;
    }
    grpcc_arena_free(arena);
    return ok;
}

/* ---- the move ---- */

static enum comb_status carry_mark(struct move *move, comb_str name, struct comb_error *err)
{
    struct comb_ctx ctx = step(move);
    uint64_t highest = 0, raised = 0;
    enum comb_status status =
        comb_config_store_mark(move->mover->open.config, &ctx, name, 0, &highest, err);
    if (status == COMB_OK && highest > 0)
        status = comb_config_store_mark(comb_rows_store(&move->to, COMB_ROW_CONFIG), &ctx, name,
                                        highest, &raised, err);
    return status;
}

/* The marks by which a server that was left behind is known (server/incarnation.c), and a trail
 * that was cut (server/audit/heads.c), go with the configuration. */
static enum comb_status carry_marks(struct move *move, struct comb_error *err)
{
    char id[COMB_UUID_TEXT_LENGTH + 1], name[COMB_CONFIG_MARK_BYTES_MAX];
    struct comb_sql_info info;
    comb_sql_get_info(move->mover->open.sql, &info);
    comb_uuid_format(&info.installation, id);
    snprintf(name, sizeof name, "sql.%s", id);
    enum comb_status status = carry_mark(move, comb_str_from(name), err);
    snprintf(name, sizeof name, "audit-%016" PRIx64, info.history_since);
    return status == COMB_OK ? carry_mark(move, comb_str_from(name), err) : status;
}

/* The copy becomes the installation, in a history above the old one's. */
static enum comb_status adopt(struct move *move, struct comb_error *err)
{
    const struct comb_move_state none = {.phase = COMB_MOVE_NONE};
    struct comb_sql *sql = comb_rows_store(&move->to, COMB_ROW_SQL);
    struct comb_ctx ctx = step(move);
    struct comb_sql_info info;
    comb_sql_get_info(move->mover->open.sql, &info);
    enum comb_status status = comb_incarnation_adopt(sql, move->mover->open.config, &ctx,
                                                     &info.installation, info.incarnation, err);
    return status == COMB_OK ? comb_move_state_set(sql, &ctx, &none, err) : status;
}

static enum comb_status copy(struct move *move, struct comb_error *err)
{
    const struct comb_move_progress progress = {tell, move};
    struct comb_sql_snapshot *snapshot;
    struct comb_move_sums sums;
    enum comb_status status = COMB_OK;
    /* Log-ins go on: both readings are of one moment. */
    if (move->row == COMB_ROW_SQL)
        status = comb_move_sql_hold(move->from, &snapshot, err);
    if (status == COMB_OK)
        status = comb_move_copy(move->from, move->into, &progress, &sums, err);
    if (status == COMB_OK && move->row == COMB_ROW_DATA)
        comb_move_data_faults(move->from, &move->faults);
    if (status == COMB_OK && move->row == COMB_ROW_CONFIG)
        status = carry_marks(move, err);
    if (status == COMB_OK && move->row == COMB_ROW_SQL)
        status = adopt(move, err);
    return status;
}

/* The data row's names must be of a moment behind the fence: streams are made anew there. */
static enum comb_status fence_and_copy(struct move *move, struct comb_error *err)
{
    enum comb_status status = say_phase(move, COMB_MOVE_FENCED, err);
    if (status == COMB_OK)
        status = comb_move_fence(move->mover->open.sql, err);
    if (status == COMB_OK && move->row == COMB_ROW_DATA) {
        comb_move_row_free(move->from);
        comb_move_row_free(move->into);
        comb_move_row_free(move->names);
        move->from = move->into = move->names = NULL;
        status = make_streams(move, err);
    }
    return status == COMB_OK ? copy(move, err) : status;
}

static enum comb_status run(struct move *move, const char *credentials_file, struct comb_error *err)
{
    enum comb_status status = look(move, err);
    if (status != COMB_OK || move->is_whole)
        return status;
    status = open_new(move, credentials_file, err);
    if (status == COMB_OK)
        status = make_streams(move, err);
    if (status == COMB_OK && move->row == COMB_ROW_SQL)
        status = prepare_sql(move, err);
    else if (status == COMB_OK && !move->resumes)
        status = must_be_empty(move->into, err);
    if (status == COMB_OK && !move->is_whole)
        status = fence_and_copy(move, err);
    return status == COMB_OK ? say_phase(move, COMB_MOVE_MOVED, err) : status;
}

static enum comb_status send_end(struct move *move, const char *next, struct comb_error *err)
{
    struct comb_v1_admin_move_row_response *end =
        comb_v1_admin_move_row_response_new(grpcc_call_arena(move->call));
    if (!end)
        return comb_error_no_memory(err);
    end->done = true;
    end->faulty_contents = move->faults.missing + move->faults.damaged;
    comb_v1_admin_move_row_response_set_next(end, next);
    return send_response(move, end, err);
}

static enum comb_status move_row(struct move *move,
                                 const struct comb_v1_admin_move_row_request *request,
                                 struct comb_error *err)
{
    char next[COMB_URL_MAX + 160];
    move->url = request->url;
    enum comb_status status = find_row(request->row, &move->row, err);
    if (status == COMB_OK && !request->url[0])
        status = comb_error_field(err, "url", "is empty: name the new store");
    if (status == COMB_OK)
        status = run(move, request->credentials_file, err);
    if (status != COMB_OK)
        return status;
    snprintf(next, sizeof next,
             "stop all replicas and start them with --%s %s; the old store takes no changes any "
             "more",
             request->row, request->url);
    comb_log(COMB_LOG_INFO, "move", "a row was moved",
             comb_log_text("row", comb_str_from(request->row)),
             comb_log_text("to", comb_str_from(request->url)));
    return send_end(move, next, err);
}

static enum comb_status abandon(struct move *move, struct comb_error *err)
{
    const struct comb_move_state none = {.phase = COMB_MOVE_NONE};
    struct comb_sql *sql = move->mover->open.sql;
    struct comb_ctx ctx = step(move);
    struct comb_move_state was;
    enum comb_status status = comb_move_state_get(sql, &ctx, &was, err);
    if (status == COMB_OK)
        status = comb_move_unfence(sql, err);
    ctx.deadline_ns = comb_clock_in_ms(STEP_MS);
    if (status == COMB_OK)
        status = comb_move_state_set(sql, &ctx, &none, err);
    if (status == COMB_OK)
        comb_log(COMB_LOG_WARN, "move", "a move was given up",
                 comb_log_text("row", comb_str_from(was.row)));
    return status == COMB_OK ? send_end(move, "changes are taken again; empty the new store", err)
                             : status;
}

void comb_mover_rpc(void *self, struct grpcc_call *call,
                    const struct comb_v1_admin_move_row_request *request)
{
    struct comb_mover *mover = self;
    struct move move = {.mover = mover, .call = call, .arena = grpcc_arena_new(0)};
    struct comb_request_key once;
    struct comb_error err = {0};
    if (atomic_exchange(&mover->busy, true)) {
        grpcc_arena_free(move.arena);
        comb_error_set(&err, COMB_FAILED_PRECONDITION, 0, "a move is under way at this replica");
        comb_rpc_fail(call, &err);
        return;
    }
    enum comb_status status =
        move.arena ? comb_rpc_request_key(call, request->request_id, &request->base, &once, &err)
                   : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = request->abandon ? abandon(&move, &err) : move_row(&move, request, &err);
    close_all(&move);
    atomic_store(&mover->busy, false);
    if (status == COMB_OK)
        grpcc_call_finish_ok(call);
    else
        comb_rpc_fail(call, &err);
}

/* ---- the start of a server ---- */

/* Search, and the index of the audit trail, are made anew on a docs row that is new, and of
 * activities what the feed has. */
static enum comb_status begin_derived_anew(struct comb_sql *sql, struct comb_ctx *ctx,
                                           struct comb_error *err)
{
    static const char *const names[] = {COMB_SEARCH_CONSUMER, COMB_SEARCH_CONTENT_CONSUMER,
                                        COMB_ACTIVITIES_CONSUMER, COMB_AUDIT_INDEX_LEASE_NAME};
    struct comb_consumers_store *leases = NULL;
    enum comb_status status = comb_consumers_store_open(sql, &leases, err);
    for (size_t i = 0; status == COMB_OK && i < sizeof names / sizeof names[0]; i++) {
        uint64_t epoch;
        status = leases->driver->begin_anew(leases, ctx, comb_str_from(names[i]), &epoch, err);
        if (status == COMB_NOT_FOUND)
            status = COMB_OK; /* nobody has held it yet: it begins with that anyway */
    }
    comb_consumers_store_close(leases);
    return status;
}

enum comb_status comb_mover_settle(const struct comb_rows *rows, struct comb_sql *sql,
                                   struct comb_ctx *ctx, struct comb_error *err)
{
    const struct comb_move_state none = {.phase = COMB_MOVE_NONE};
    struct comb_move_state is;
    enum comb_status status = comb_move_state_check(sql, ctx, err);
    if (status == COMB_OK)
        status = comb_move_state_get(sql, ctx, &is, err);
    if (status != COMB_OK || is.phase == COMB_MOVE_NONE)
        return status;
    enum comb_row row = comb_row_find(is.row);
    bool is_new = row < COMB_ROWS && strcmp(rows->rows[row].url, is.other) == 0;
    if (!is_new) {
        comb_log(COMB_LOG_WARN, "move",
                 is.phase == COMB_MOVE_MOVED
                     ? "a row has been moved: this is the old store, and takes no changes"
                     : "a row is being moved: changes are refused until that is done or given up",
                 comb_log_text("row", comb_str_from(is.row)),
                 comb_log_text("to", comb_str_from(is.other)));
        return COMB_OK;
    }
    if (is.phase != COMB_MOVE_MOVED)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "%s: the store is not whole: go on with its move, with the old one",
                              is.row);
    status = comb_move_unfence(sql, err);
    if (status == COMB_OK && row == COMB_ROW_DOCS)
        status = begin_derived_anew(sql, ctx, err);
    if (status == COMB_OK)
        status = comb_move_state_set(sql, ctx, &none, err);
    if (status == COMB_OK)
        comb_log(COMB_LOG_INFO, "move", "the move is over: changes are taken again",
                 comb_log_text("row", comb_str_from(is.row)));
    return status;
}
