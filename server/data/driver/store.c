/* SPDX-License-Identifier: Apache-2.0 */
/* The store of contents over the sql row; all that is of one dialect is in its statements. */
#include <assert.h>

#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/core/random.h"
#include "server/data/driver/dialect.h"
#include "server/data/driver/texts.h"
#include "server/mutation/plan.h"

struct store {
    struct comb_data_store base;
    struct comb_sql *sql;
    const struct comb_data_dialect *dialect;
    uint64_t incarnation;
    bool is_shared;
};

static struct store *store_of(struct comb_data_store *self)
{
    return (struct store *)self;
}

/* ---- values and rows ---- */

static struct comb_sql_value of_bytes(uint64_t n)
{
    return comb_sql_integer((int64_t)n);
}

static struct comb_sql_value of_blob_or_null(comb_str bytes)
{
    return bytes.len > 0 ? comb_sql_blob(bytes) : comb_sql_null();
}

static struct comb_sql_value of_id_or_null(const struct comb_uuid *id)
{
    return comb_uuid_is_nil(id) ? comb_sql_null() : comb_sql_uuid(id);
}

static struct comb_uuid to_id(const struct comb_sql_value *value)
{
    struct comb_uuid id = {{0}};

    if (value->bytes.len == sizeof id.bytes)
        memcpy(id.bytes, value->bytes.ptr, sizeof id.bytes);
    return id;
}

static uint64_t to_bytes(const struct comb_sql_value *value)
{
    return (uint64_t)value->integer;
}

/* Of three columns, from the first on. */
static struct comb_data_seal to_seal(const struct comb_sql_value *wrapped)
{
    struct comb_data_seal seal = {.is_sealed = wrapped[0].type != COMB_SQL_NULL};

    if (!seal.is_sealed)
        return seal;
    if (wrapped[0].bytes.len == sizeof seal.wrapped)
        memcpy(seal.wrapped, wrapped[0].bytes.ptr, sizeof seal.wrapped);
    seal.stored = to_bytes(&wrapped[1]);
    if (wrapped[2].bytes.len == sizeof seal.stored_sha256)
        memcpy(seal.stored_sha256, wrapped[2].bytes.ptr, sizeof seal.stored_sha256);
    return seal;
}

static struct comb_sql_value of_wrapped(const struct comb_data_seal *seal)
{
    return seal->is_sealed ? comb_sql_blob(comb_str_of(seal->wrapped, sizeof seal->wrapped))
                           : comb_sql_null();
}

static struct comb_sql_value of_stored(const struct comb_data_seal *seal)
{
    return seal->is_sealed ? of_bytes(seal->stored) : comb_sql_null();
}

static struct comb_sql_value of_stored_sha256(const struct comb_data_seal *seal)
{
    return seal->is_sealed
               ? comb_sql_blob(comb_str_of(seal->stored_sha256, sizeof seal->stored_sha256))
               : comb_sql_null();
}

/* Of the columns that PART_LIST names. */
static struct comb_data_part to_part(const struct comb_sql_value *row)
{
    return (struct comb_data_part){
        .offset = to_bytes(&row[0]),
        .size = to_bytes(&row[1]),
        .sha256 = row[2].bytes,
        .session = to_id(&row[3]),
        .object = to_id(&row[4]),
        .seal = to_seal(&row[5]),
    };
}

/* ---- requests ---- */

#define STATEMENT(statement_text, ...)                                                             \
    {                                                                                              \
        .text = (statement_text), .params = (const struct comb_sql_value[]){__VA_ARGS__},          \
        .n_params =                                                                                \
            sizeof((const struct comb_sql_value[]){__VA_ARGS__}) / sizeof(struct comb_sql_value)   \
    }

static enum comb_status run(struct store *store, struct comb_ctx *ctx, enum comb_sql_kind kind,
                            const struct comb_sql_statement *statements, size_t n,
                            const struct comb_sql_rows **ret_rows, struct comb_error *err)
{
    const struct comb_sql_request request = {
        .kind = kind, .statements = statements, .n_statements = n};
    const struct comb_sql_result *result = NULL;
    enum comb_status status = comb_sql_run(store->sql, ctx, &request, &result, err);

    if (status == COMB_OK && ret_rows)
        *ret_rows = result->rows;
    return status;
}

static enum comb_status run_one(struct store *store, struct comb_ctx *ctx, enum comb_sql_kind kind,
                                const struct comb_sql_statement *statement,
                                const struct comb_sql_rows **ret_rows, struct comb_error *err)
{
    return run(store, ctx, kind, statement, 1, ret_rows, err);
}

/* ---- sessions ---- */

static enum comb_status store_open_session(struct comb_data_store *self, struct comb_ctx *ctx,
                                           const struct comb_uuid *id, struct comb_error *err)
{
    struct store *store = store_of(self);
    int64_t now_us = comb_clock_wall_us();
    const struct comb_sql_statement statements[] = {
        STATEMENT(SESSION_INSERT, comb_sql_integer(now_us), comb_sql_uuid(id),
                  comb_sql_integer(now_us + COMB_DATA_SESSION_LEASE_US)),
        STATEMENT(SESSION_END_ALL, comb_sql_integer(now_us), comb_sql_uuid(id)),
    };

    return run(store, ctx, COMB_SQL_WRITE, statements, store->is_shared ? 1 : 2, NULL, err);
}

static enum comb_status store_renew_session(struct comb_data_store *self, struct comb_ctx *ctx,
                                            const struct comb_uuid *id, bool *ret_alive,
                                            struct comb_error *err)
{
    struct store *store = store_of(self);
    int64_t expire_us = comb_clock_wall_us() + COMB_DATA_SESSION_LEASE_US;
    const struct comb_sql_statement statement =
        STATEMENT(SESSION_RENEW, comb_sql_integer(expire_us), comb_sql_uuid(id));
    const struct comb_sql_rows *rows;
    enum comb_status status = run_one(store, ctx, COMB_SQL_WRITE, &statement, &rows, err);

    if (status == COMB_OK)
        *ret_alive = rows->changes == 1;
    return status;
}

/* ---- reads ---- */

static enum comb_status store_get_blob(struct comb_data_store *self, struct comb_ctx *ctx,
                                       const struct comb_uuid *id, bool *ret_found,
                                       struct comb_data_blob *ret_blob, struct comb_error *err)
{
    struct store *store = store_of(self);
    const struct comb_sql_statement statement = STATEMENT(BLOB_GET, comb_sql_uuid(id));
    const struct comb_sql_rows *rows;
    enum comb_status status = run_one(store, ctx, COMB_SQL_READ, &statement, &rows, err);

    if (status != COMB_OK)
        return status;
    *ret_found = rows->n_rows == 1;
    if (*ret_found)
        *ret_blob = (struct comb_data_blob){
            .id = *id,
            .session = to_id(comb_sql_at(rows, 0, 0)),
            .size = to_bytes(comb_sql_at(rows, 0, 1)),
            .sha256 = comb_sql_at(rows, 0, 2)->bytes,
            .seal = to_seal(comb_sql_at(rows, 0, 3)),
        };
    return COMB_OK;
}

static enum comb_status store_get_parts(struct comb_data_store *self, struct comb_ctx *ctx,
                                        const struct comb_uuid *id, uint64_t from, size_t max,
                                        const struct comb_data_part **ret_parts, size_t *ret_n,
                                        struct comb_error *err)
{
    struct store *store = store_of(self);
    const struct comb_sql_statement statement =
        STATEMENT(PART_LIST, comb_sql_uuid(id), of_bytes(from),
                  of_bytes(max < COMB_DATA_BATCH_MAX ? max : COMB_DATA_BATCH_MAX));
    const struct comb_sql_rows *rows;
    struct comb_data_part *parts;
    enum comb_status status = run_one(store, ctx, COMB_SQL_READ, &statement, &rows, err);

    if (status != COMB_OK)
        return status;
    parts = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *parts);
    if (!parts)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++)
        parts[i] = to_part(comb_sql_at(rows, i, 0));
    *ret_parts = parts;
    *ret_n = rows->n_rows;
    return COMB_OK;
}

/* A row of UPLOAD_GET. */
static struct comb_data_upload to_upload(const struct comb_sql_rows *rows, size_t row,
                                         const struct comb_uuid *id)
{
    return (struct comb_data_upload){
        .id = *id,
        .owner = to_id(comb_sql_at(rows, row, 0)),
        .target = comb_sql_at(rows, row, 1)->bytes,
        .has_size = comb_sql_at(rows, row, 2)->type == COMB_SQL_INTEGER,
        .size = to_bytes(comb_sql_at(rows, row, 2)),
        .sha256 = comb_sql_at(rows, row, 3)->bytes,
        .expire_us = comb_sql_at(rows, row, 4)->integer,
        .n_parts = to_bytes(comb_sql_at(rows, row, 5)),
        .received = to_bytes(comb_sql_at(rows, row, 6)),
        .hashed = {to_bytes(comb_sql_at(rows, row, 7)), comb_sql_at(rows, row, 8)->bytes},
    };
}

static enum comb_status store_get_upload(struct comb_data_store *self, struct comb_ctx *ctx,
                                         const struct comb_uuid *id, bool *ret_found,
                                         struct comb_data_upload *ret_upload,
                                         struct comb_error *err)
{
    struct store *store = store_of(self);
    const struct comb_sql_statement statement =
        STATEMENT(UPLOAD_GET, comb_sql_integer(comb_clock_wall_us()), comb_sql_uuid(id));
    const struct comb_sql_rows *rows;
    enum comb_status status = run_one(store, ctx, COMB_SQL_READ, &statement, &rows, err);

    if (status != COMB_OK)
        return status;
    *ret_found = rows->n_rows == 1;
    if (*ret_found)
        *ret_upload = to_upload(rows, 0, id);
    return COMB_OK;
}

static enum comb_status store_list_uploads(struct comb_data_store *self, struct comb_ctx *ctx,
                                           const struct comb_uuid *owner,
                                           const struct comb_uuid *after, size_t max,
                                           const struct comb_data_upload **ret_uploads,
                                           size_t *ret_n, struct comb_error *err)
{
    struct store *store = store_of(self);
    const struct comb_sql_statement statement =
        STATEMENT(UPLOAD_LIST, comb_sql_integer(comb_clock_wall_us()), comb_sql_uuid(owner),
                  comb_sql_uuid(after), of_bytes(max));
    const struct comb_sql_rows *rows;
    struct comb_data_upload *uploads;
    enum comb_status status = run_one(store, ctx, COMB_SQL_READ, &statement, &rows, err);

    if (status != COMB_OK)
        return status;
    uploads = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *uploads);
    if (!uploads)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++) {
        const struct comb_uuid id = to_id(comb_sql_at(rows, i, 9));

        uploads[i] = to_upload(rows, i, &id);
    }
    *ret_uploads = uploads;
    *ret_n = rows->n_rows;
    return COMB_OK;
}

static enum comb_status store_count_uploads(struct comb_data_store *self, struct comb_ctx *ctx,
                                            const struct comb_uuid *owner, uint64_t *ret_n,
                                            struct comb_error *err)
{
    struct store *store = store_of(self);
    const struct comb_sql_value params[] = {comb_sql_integer(comb_clock_wall_us()),
                                            comb_sql_uuid(owner)};
    const struct comb_sql_statement count = {UPLOAD_PLACES, params, 2, false};
    const struct comb_sql_statement expire = {UPLOAD_EXPIRE_OF, params, 2, false};
    const struct comb_sql_rows *rows;
    uint64_t expired;
    enum comb_status status = run_one(store, ctx, COMB_SQL_READ, &count, &rows, err);

    if (status != COMB_OK)
        return status;
    expired = to_bytes(comb_sql_at(rows, 0, 1));
    *ret_n = to_bytes(comb_sql_at(rows, 0, 0)) - expired;
    return expired > 0 ? run_one(store, ctx, COMB_SQL_WRITE, &expire, NULL, err) : COMB_OK;
}

/* ---- pieces of plans ---- */

static enum comb_status plan_session(struct store *store, struct comb_ctx *ctx,
                                     struct comb_plan *plan, const struct comb_uuid *session,
                                     struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_uuid(session)};

    return comb_plan_add(ctx, plan, store->dialect->session_alive, params, 1, true, err);
}

static enum comb_status plan_blob_row(struct store *store, struct comb_ctx *ctx,
                                      struct comb_plan *plan, const struct comb_data_blob *blob,
                                      struct comb_error *err)
{
    (void)store;
    const struct comb_sql_value params[] = {comb_sql_integer(comb_clock_wall_us()),
                                            comb_sql_uuid(&blob->id),
                                            of_id_or_null(&blob->session),
                                            of_bytes(blob->size),
                                            comb_sql_blob(blob->sha256),
                                            of_wrapped(&blob->seal),
                                            of_stored(&blob->seal),
                                            of_stored_sha256(&blob->seal)};

    return comb_plan_add(ctx, plan, BLOB_INSERT, params, 8, false, err);
}

static enum comb_status store_plan_blob(struct comb_data_store *self, struct comb_ctx *ctx,
                                        struct comb_plan *plan, const struct comb_data_blob *blob,
                                        struct comb_error *err)
{
    struct store *store = store_of(self);
    enum comb_status status = plan_session(store, ctx, plan, &blob->session, err);

    return status == COMB_OK ? plan_blob_row(store, ctx, plan, blob, err) : status;
}

static enum comb_status store_plan_upload(struct comb_data_store *self, struct comb_ctx *ctx,
                                          struct comb_plan *plan,
                                          const struct comb_data_upload *upload, uint32_t open_max,
                                          struct comb_error *err)
{
    (void)self;
    int64_t now_us = comb_clock_wall_us();
    uint32_t first;

    /* At random, so that those who open some at once rarely find the same one free. */
    comb_random(&first, sizeof first);
    const struct comb_sql_value params[] = {
        comb_sql_integer(now_us),
        comb_sql_uuid(&upload->id),
        comb_sql_uuid(&upload->owner),
        comb_sql_blob(upload->target),
        upload->has_size ? of_bytes(upload->size) : comb_sql_null(),
        of_blob_or_null(upload->sha256),
        comb_sql_integer(now_us + COMB_DATA_UPLOAD_KEEP_US),
        comb_sql_integer(open_max),
        comb_sql_integer(first % open_max),
    };

    return comb_plan_add(ctx, plan, UPLOAD_INSERT, params, 9, true, err);
}

static enum comb_status
store_plan_part(struct comb_data_store *self, struct comb_ctx *ctx, struct comb_plan *plan,
                const struct comb_data_upload *upload, const struct comb_data_part *part,
                const struct comb_data_hashed *hashed, struct comb_error *err)
{
    struct store *store = store_of(self);
    int64_t now_us = comb_clock_wall_us();
    const struct comb_sql_value insert[] = {
        comb_sql_uuid(&upload->id),  of_bytes(part->offset),        of_bytes(part->size),
        comb_sql_blob(part->sha256), comb_sql_uuid(&part->session), comb_sql_uuid(&part->object),
        of_wrapped(&part->seal),     of_stored(&part->seal),        of_stored_sha256(&part->seal),
    };
    const struct comb_sql_value extend[] = {
        comb_sql_integer(now_us),
        comb_sql_uuid(&upload->id),
        comb_sql_integer(now_us + COMB_DATA_UPLOAD_KEEP_US),
        of_bytes(part->offset),
        of_bytes(part->size),
        of_blob_or_null(hashed ? hashed->state : comb_str_of(NULL, 0)),
        comb_sql_integer(COMB_DATA_PARTS_MAX),
    };
    enum comb_status status = plan_session(store, ctx, plan, &part->session, err);

    if (status == COMB_OK)
        status = comb_plan_add(ctx, plan, store->dialect->upload_extend, extend, 7, true, err);
    if (status == COMB_OK)
        status = comb_plan_add(ctx, plan, PART_INSERT, insert, 9, true, err);
    return status;
}

static enum comb_status store_plan_commit(struct comb_data_store *self, struct comb_ctx *ctx,
                                          struct comb_plan *plan,
                                          const struct comb_data_upload *upload, comb_str sha256,
                                          struct comb_error *err)
{
    struct store *store = store_of(self);
    const struct comb_sql_value params[] = {comb_sql_integer(comb_clock_wall_us()),
                                            comb_sql_uuid(&upload->id), of_bytes(upload->n_parts),
                                            of_bytes(upload->received)};
    const struct comb_data_blob blob = {
        .id = upload->id, .size = upload->received, .sha256 = sha256};
    enum comb_status status = comb_plan_add(ctx, plan, UPLOAD_COMMIT, params, 4, true, err);

    return status == COMB_OK ? plan_blob_row(store, ctx, plan, &blob, err) : status;
}

static enum comb_status store_plan_abort(struct comb_data_store *self, struct comb_ctx *ctx,
                                         struct comb_plan *plan,
                                         const struct comb_data_upload *upload,
                                         struct comb_error *err)
{
    (void)self;
    const struct comb_sql_value params[] = {comb_sql_integer(comb_clock_wall_us()),
                                            comb_sql_uuid(&upload->id)};

    return comb_plan_add(ctx, plan, UPLOAD_END, params, 2, true, err);
}

/* ---- the sweeper ---- */

static enum comb_status store_next_dead_session(struct comb_data_store *self, struct comb_ctx *ctx,
                                                bool *ret_found, struct comb_uuid *ret_session,
                                                struct comb_error *err)
{
    struct store *store = store_of(self);
    int64_t now_us = comb_clock_wall_us();
    const struct comb_sql_statement expired = STATEMENT(SESSION_EXPIRED, comb_sql_integer(now_us));
    const struct comb_sql_statement expire = STATEMENT(SESSION_EXPIRE, comb_sql_integer(now_us));
    const struct comb_sql_statement next = STATEMENT(
        SESSION_NEXT, comb_sql_integer(now_us), comb_sql_integer(COMB_DATA_SESSION_RESWEEP_US));
    const struct comb_sql_rows *rows;
    enum comb_status status = run_one(store, ctx, COMB_SQL_SCAN, &expired, &rows, err);

    if (status == COMB_OK && rows->n_rows > 0)
        status = run_one(store, ctx, COMB_SQL_WRITE, &expire, NULL, err);
    if (status == COMB_OK)
        status = run_one(store, ctx, COMB_SQL_SCAN, &next, &rows, err);
    if (status != COMB_OK)
        return status;
    *ret_found = rows->n_rows == 1;
    if (*ret_found)
        *ret_session = to_id(comb_sql_at(rows, 0, 0));
    return COMB_OK;
}

static enum comb_status store_set_swept(struct comb_data_store *self, struct comb_ctx *ctx,
                                        const struct comb_uuid *session, struct comb_error *err)
{
    struct store *store = store_of(self);
    int64_t now_us = comb_clock_wall_us();
    const struct comb_sql_statement statements[] = {
        STATEMENT(SESSION_SWEPT, comb_sql_integer(now_us), comb_sql_uuid(session)),
        STATEMENT(SESSION_FORGET, comb_sql_integer(now_us), comb_sql_uuid(session),
                  comb_sql_integer(COMB_DATA_SESSION_RESWEEP_US)),
    };

    return run(store, ctx, COMB_SQL_WRITE, statements, 2, NULL, err);
}

static enum comb_status store_are_named(struct comb_data_store *self, struct comb_ctx *ctx,
                                        const struct comb_uuid *objects, size_t n, bool *ret_named,
                                        struct comb_error *err)
{
    struct store *store = store_of(self);
    struct comb_sql_statement statements[COMB_DATA_NAMED_MAX];
    struct comb_sql_value params[COMB_DATA_NAMED_MAX];
    const struct comb_sql_rows *rows;
    enum comb_status status;

    assert(n <= COMB_DATA_NAMED_MAX);
    if (n == 0)
        return COMB_OK;
    for (size_t i = 0; i < n; i++) {
        params[i] = comb_sql_uuid(&objects[i]);
        statements[i] =
            (struct comb_sql_statement){.text = OBJECT_NAMED, .params = &params[i], .n_params = 1};
    }
    status = run(store, ctx, COMB_SQL_SCAN, statements, n, &rows, err);
    for (size_t i = 0; status == COMB_OK && i < n; i++)
        ret_named[i] = rows[i].n_rows > 0;
    return status;
}

static enum comb_status store_next_ended_upload(struct comb_data_store *self, struct comb_ctx *ctx,
                                                bool *ret_found, struct comb_uuid *ret_upload,
                                                struct comb_error *err)
{
    struct store *store = store_of(self);
    int64_t now_us = comb_clock_wall_us();
    const struct comb_sql_statement next = STATEMENT(UPLOAD_NEXT, comb_sql_integer(now_us));
    const struct comb_sql_rows *rows;
    enum comb_status status = run_one(store, ctx, COMB_SQL_SCAN, &next, &rows, err);
    struct comb_uuid id;

    if (status != COMB_OK)
        return status;
    if (rows->n_rows == 0) {
        *ret_found = false;
        return COMB_OK;
    }
    id = to_id(comb_sql_at(rows, 0, 0));
    if (comb_sql_at(rows, 0, 1)->integer == 0) {
        const struct comb_sql_statement expire =
            STATEMENT(UPLOAD_EXPIRE, comb_sql_integer(now_us), comb_sql_uuid(&id));

        status = run_one(store, ctx, COMB_SQL_WRITE, &expire, &rows, err);
        if (status != COMB_OK)
            return status;
        /* A part has extended it meanwhile, or it was committed: nothing to sweep this time. */
        *ret_found = rows->changes == 1;
    } else {
        *ret_found = true;
    }
    if (*ret_found)
        *ret_upload = id;
    return COMB_OK;
}

static enum comb_status store_condemn(struct comb_data_store *self, struct comb_ctx *ctx,
                                      size_t max, struct comb_uuid *after, struct comb_error *err)
{
    struct store *store = store_of(self);
    const struct comb_sql_value incarnation = of_bytes(store->incarnation);
    const struct comb_sql_statement window =
        STATEMENT(store->dialect->blob_window, comb_sql_uuid(after), of_bytes(max), incarnation);
    const struct comb_sql_rows *rows;
    struct comb_uuid last;
    size_t n, n_changes;
    enum comb_status status = run_one(store, ctx, COMB_SQL_SCAN, &window, &rows, err);

    if (status != COMB_OK)
        return status;
    last = to_id(comb_sql_at(rows, 0, 0));
    n = (size_t)comb_sql_at(rows, 0, 1)->integer;
    n_changes = (size_t)comb_sql_at(rows, 0, 2)->integer;
    if (n_changes > 0) {
        const struct comb_sql_statement statements[] = {
            STATEMENT(BLOB_CONDEMN, comb_sql_integer(comb_clock_wall_us()), comb_sql_uuid(after),
                      comb_sql_uuid(&last), incarnation),
            STATEMENT(BLOB_LIFT, comb_sql_uuid(after), comb_sql_uuid(&last)),
        };

        status = run(store, ctx, COMB_SQL_WRITE, statements, 2, NULL, err);
    }
    if (status == COMB_OK)
        *after = n < max ? (struct comb_uuid){{0}} : last;
    return status;
}

static enum comb_status store_next_doomed(struct comb_data_store *self, struct comb_ctx *ctx,
                                          int64_t window_us, bool *ret_found,
                                          struct comb_data_blob *ret_blob, struct comb_error *err)
{
    struct store *store = store_of(self);
    const struct comb_sql_value before = comb_sql_integer(comb_clock_wall_us() - window_us);
    const struct comb_sql_value incarnation = of_bytes(store->incarnation);
    const struct comb_sql_statement ripe = STATEMENT(BLOB_RIPE, before, incarnation);
    const struct comb_sql_statement doom =
        STATEMENT(store->dialect->blob_doom, before, incarnation, of_bytes(COMB_DATA_BATCH_MAX));
    const struct comb_sql_statement doomed = {.text = BLOB_DOOMED};
    const struct comb_sql_rows *rows;
    enum comb_status status = run_one(store, ctx, COMB_SQL_SCAN, &ripe, &rows, err);

    if (status == COMB_OK && rows->n_rows > 0)
        status = run_one(store, ctx, COMB_SQL_WRITE, &doom, NULL, err);
    if (status == COMB_OK)
        status = run_one(store, ctx, COMB_SQL_SCAN, &doomed, &rows, err);
    if (status != COMB_OK)
        return status;
    *ret_found = rows->n_rows == 1;
    if (*ret_found)
        *ret_blob = (struct comb_data_blob){
            .id = to_id(comb_sql_at(rows, 0, 0)),
            .session = to_id(comb_sql_at(rows, 0, 1)),
            .size = to_bytes(comb_sql_at(rows, 0, 2)),
            .sha256 = comb_sql_at(rows, 0, 3)->bytes,
        };
    return COMB_OK;
}

static enum comb_status store_drop_parts(struct comb_data_store *self, struct comb_ctx *ctx,
                                         const struct comb_uuid *id,
                                         const struct comb_data_part *parts, size_t n,
                                         struct comb_error *err)
{
    struct store *store = store_of(self);
    const struct comb_sql_statement statement = STATEMENT(
        PART_DELETE, comb_sql_uuid(id), of_bytes(parts[0].offset), of_bytes(parts[n - 1].offset));

    return run_one(store, ctx, COMB_SQL_WRITE, &statement, NULL, err);
}

static enum comb_status store_drop(struct comb_data_store *self, struct comb_ctx *ctx,
                                   const struct comb_uuid *id, struct comb_error *err)
{
    struct store *store = store_of(self);
    const struct comb_sql_statement statements[] = {
        STATEMENT(UPLOAD_DELETE, comb_sql_uuid(id)),
        STATEMENT(BLOB_DELETE, comb_sql_uuid(id)),
    };

    return run(store, ctx, COMB_SQL_WRITE, statements, 2, NULL, err);
}

/* ---- encryption ---- */

static enum comb_status walk_blobs(struct store *store, struct comb_ctx *ctx, size_t max,
                                   struct comb_data_walk *walk, struct comb_data_named *named,
                                   size_t *ret_n, struct comb_error *err)
{
    const struct comb_sql_statement statement =
        STATEMENT(WALK_BLOBS, comb_sql_uuid(&walk->blob), of_bytes(max));
    const struct comb_sql_rows *rows;
    enum comb_status status = run_one(store, ctx, COMB_SQL_SCAN, &statement, &rows, err);

    if (status != COMB_OK)
        return status;
    for (size_t i = 0; i < rows->n_rows; i++) {
        const struct comb_sql_value *row = comb_sql_at(rows, i, 0);

        walk->blob = to_id(&row[0]);
        if (row[1].type == COMB_SQL_NULL || row[7].integer != 0)
            continue;
        named[(*ret_n)++] = (struct comb_data_named){
            .blob = walk->blob,
            .part = {.size = to_bytes(&row[2]),
                     .sha256 = row[3].bytes,
                     .session = to_id(&row[1]),
                     .object = walk->blob,
                     .seal = to_seal(&row[4])},
        };
    }
    if (rows->n_rows < max)
        *walk = (struct comb_data_walk){.in_parts = true};
    return COMB_OK;
}

static enum comb_status walk_parts(struct store *store, struct comb_ctx *ctx, size_t max,
                                   struct comb_data_walk *walk, struct comb_data_named *named,
                                   size_t *ret_n, struct comb_error *err)
{
    const struct comb_sql_statement statement =
        STATEMENT(WALK_PARTS, comb_sql_uuid(&walk->blob), of_bytes(walk->offset), of_bytes(max));
    const struct comb_sql_rows *rows;
    enum comb_status status = run_one(store, ctx, COMB_SQL_SCAN, &statement, &rows, err);

    if (status != COMB_OK)
        return status;
    for (size_t i = 0; i < rows->n_rows; i++) {
        const struct comb_sql_value *row = comb_sql_at(rows, i, 0);

        walk->blob = to_id(&row[8]);
        walk->offset = to_bytes(&row[0]);
        named[(*ret_n)++] =
            (struct comb_data_named){.blob = walk->blob, .is_part = true, .part = to_part(row)};
    }
    walk->is_over = rows->n_rows < max;
    return COMB_OK;
}

static enum comb_status store_walk(struct comb_data_store *self, struct comb_ctx *ctx, size_t max,
                                   struct comb_data_walk *walk,
                                   const struct comb_data_named **ret_named, size_t *ret_n,
                                   struct comb_error *err)
{
    struct comb_data_named *named;

    if (max > COMB_DATA_BATCH_MAX)
        max = COMB_DATA_BATCH_MAX;
    named = grpcc_arena_calloc(ctx->arena, max, sizeof *named);
    if (!named)
        return comb_error_no_memory(err);
    *ret_named = named;
    *ret_n = 0;
    return walk->in_parts ? walk_parts(store_of(self), ctx, max, walk, named, ret_n, err)
                          : walk_blobs(store_of(self), ctx, max, walk, named, ret_n, err);
}

static enum comb_status store_rewrap(struct comb_data_store *self, struct comb_ctx *ctx,
                                     const struct comb_data_named *seen,
                                     const uint8_t (*wrapped)[COMB_DATA_WRAPPED_SIZE], size_t n,
                                     struct comb_error *err)
{
    struct comb_sql_statement statements[COMB_DATA_NAMED_MAX];
    struct comb_sql_value params[COMB_DATA_NAMED_MAX][3];

    assert(n <= COMB_DATA_NAMED_MAX);
    if (n == 0)
        return COMB_OK;
    for (size_t i = 0; i < n; i++) {
        params[i][0] = comb_sql_uuid(&seen[i].part.object);
        params[i][1] = of_wrapped(&seen[i].part.seal);
        params[i][2] = comb_sql_blob(comb_str_of(wrapped[i], COMB_DATA_WRAPPED_SIZE));
        statements[i] =
            (struct comb_sql_statement){.text = seen[i].is_part ? PART_REWRAP : BLOB_REWRAP,
                                        .params = params[i],
                                        .n_params = 3};
    }
    return run(store_of(self), ctx, COMB_SQL_WRITE, statements, n, NULL, err);
}

static enum comb_status store_replace(struct comb_data_store *self, struct comb_ctx *ctx,
                                      const struct comb_data_named *seen,
                                      const struct comb_data_part *by, struct comb_error *err)
{
    struct store *store = store_of(self);
    const struct comb_data_part *old = &seen->part;
    const struct comb_sql_value alive[] = {comb_sql_uuid(&by->session)};
    const struct comb_sql_value remember[] = {comb_sql_uuid(&old->object),
                                              comb_sql_uuid(&old->session),
                                              comb_sql_integer(comb_clock_wall_us())};
    const struct comb_sql_value divide[] = {comb_sql_uuid(&seen->blob),
                                            comb_sql_uuid(&old->session)};
    const struct comb_sql_value insert[] = {
        comb_sql_uuid(&seen->blob),  of_bytes(0),
        of_bytes(old->size),         comb_sql_blob(old->sha256),
        comb_sql_uuid(&by->session), comb_sql_uuid(&by->object),
        of_wrapped(&by->seal),       of_stored(&by->seal),
        of_stored_sha256(&by->seal),
    };
    const struct comb_sql_value change[] = {
        comb_sql_uuid(&old->object), comb_sql_uuid(&by->session), comb_sql_uuid(&by->object),
        of_wrapped(&by->seal),       of_stored(&by->seal),        of_stored_sha256(&by->seal),
    };
    const struct comb_sql_statement of_blob[] = {
        {store->dialect->session_alive, alive, 1, true},
        {BLOB_DIVIDE, divide, 2, true},
        {PART_INSERT, insert, 9, true},
        {REPLACED_INSERT, remember, 3, false},
    };
    const struct comb_sql_statement of_part[] = {
        {store->dialect->session_alive, alive, 1, true},
        {PART_REPLACE, change, 6, true},
        {REPLACED_INSERT, remember, 3, false},
    };

    return seen->is_part ? run(store, ctx, COMB_SQL_WRITE, of_part, 3, NULL, err)
                         : run(store, ctx, COMB_SQL_WRITE, of_blob, 4, NULL, err);
}

static enum comb_status store_list_replaced(struct comb_data_store *self, struct comb_ctx *ctx,
                                            int64_t window_us, size_t max,
                                            const struct comb_data_part **ret_objects,
                                            size_t *ret_n, struct comb_error *err)
{
    const struct comb_sql_statement statement =
        STATEMENT(REPLACED_LIST, comb_sql_integer(comb_clock_wall_us() - window_us), of_bytes(max));
    const struct comb_sql_rows *rows;
    struct comb_data_part *objects;
    enum comb_status status = run_one(store_of(self), ctx, COMB_SQL_SCAN, &statement, &rows, err);

    if (status != COMB_OK)
        return status;
    objects = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *objects);
    if (!objects)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++) {
        objects[i].object = to_id(comb_sql_at(rows, i, 0));
        objects[i].session = to_id(comb_sql_at(rows, i, 1));
    }
    *ret_objects = objects;
    *ret_n = rows->n_rows;
    return COMB_OK;
}

static enum comb_status store_forget_replaced(struct comb_data_store *self, struct comb_ctx *ctx,
                                              const struct comb_uuid *object,
                                              struct comb_error *err)
{
    const struct comb_sql_statement statement = STATEMENT(REPLACED_DELETE, comb_sql_uuid(object));

    return run_one(store_of(self), ctx, COMB_SQL_WRITE, &statement, NULL, err);
}

static void store_close(struct comb_data_store *self)
{
    comb_memory_free(self);
}

static const struct comb_data_store_driver driver = {
    .name = "sql",
    .open_session = store_open_session,
    .renew_session = store_renew_session,
    .get_blob = store_get_blob,
    .get_parts = store_get_parts,
    .get_upload = store_get_upload,
    .list_uploads = store_list_uploads,
    .count_uploads = store_count_uploads,
    .plan_blob = store_plan_blob,
    .plan_upload = store_plan_upload,
    .plan_part = store_plan_part,
    .plan_commit = store_plan_commit,
    .plan_abort = store_plan_abort,
    .next_dead_session = store_next_dead_session,
    .set_swept = store_set_swept,
    .are_named = store_are_named,
    .next_ended_upload = store_next_ended_upload,
    .condemn = store_condemn,
    .next_doomed = store_next_doomed,
    .drop_parts = store_drop_parts,
    .drop = store_drop,
    .walk = store_walk,
    .rewrap = store_rewrap,
    .replace = store_replace,
    .list_replaced = store_list_replaced,
    .forget_replaced = store_forget_replaced,
    .close = store_close,
};

const struct comb_sql_schema *const comb_data_schemas[] = {
    &comb_data_schema_sqlite,
    &comb_data_schema_postgres,
    NULL,
};

enum comb_status comb_data_store_open(struct comb_sql *sql, struct comb_data_store **ret_store,
                                      struct comb_error *err)
{
    const struct comb_sql_schema *schema = comb_sql_schema_of(sql, comb_data_schemas, err);
    struct store *store;
    struct comb_sql_info info;

    if (!schema)
        return COMB_INTERNAL;
    store = comb_memory_zalloc(sizeof *store);
    if (!store)
        return comb_error_no_memory(err);
    comb_sql_get_info(sql, &info);
    store->base.driver = &driver;
    store->sql = sql;
    store->dialect = schema->dialect;
    store->incarnation = info.incarnation;
    store->is_shared = info.shared;
    *ret_store = &store->base;
    return COMB_OK;
}
