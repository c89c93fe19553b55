/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sweeper (CONSISTENCY 7): removes what nobody can name any more. Each step may be cut off
 * anywhere and is taken up by the next round; several replicas may sweep at once.
 */
#include "server/data/internal.h"

/* Of each kind, in one round. */
#define DROPS_PER_ROUND 16
/* Parts whose objects are removed before their rows go. */
#define PARTS_PER_STEP 100

/*
 * A context for one step after another, whose answers are not kept: a round looks at more rows than
 * the arena of its caller holds.
 */
static enum comb_status begin_steps(const struct comb_ctx *ctx, struct comb_ctx *ret_steps,
                                    struct comb_error *err)
{
    *ret_steps = *ctx;
    ret_steps->arena = grpcc_arena_new(0);
    return ret_steps->arena ? COMB_OK : comb_error_no_memory(err);
}

/* Removes the objects of some parts, and then their rows. */
static enum comb_status drop_parts(struct comb_data *data, struct comb_ctx *ctx,
                                   const struct comb_uuid *id, bool *ret_more,
                                   struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    const struct comb_data_part *parts;
    char key[COMB_BLOB_KEY_MAX];
    size_t n = 0;
    enum comb_status status =
        store->driver->get_parts(store, ctx, id, 0, PARTS_PER_STEP, &parts, &n, err);

    for (size_t i = 0; status == COMB_OK && i < n; i++)
        status = comb_blob_remove(data->use.blobs, ctx,
                                  comb_blob_key(&parts[i].session, &parts[i].object, key), err);
    if (status == COMB_OK && n > 0)
        status = store->driver->drop_parts(store, ctx, id, parts, n, err);
    *ret_more = n > 0;
    return status;
}

enum comb_status comb_data_drop(struct comb_data *data, struct comb_ctx *ctx,
                                const struct comb_uuid *id, struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    struct comb_ctx steps;
    enum comb_status status = begin_steps(ctx, &steps, err);
    bool more = true;

    while (status == COMB_OK && more) {
        status = drop_parts(data, &steps, id, &more, err);
        grpcc_arena_reset(steps.arena);
    }
    if (status == COMB_OK)
        status = store->driver->drop(store, &steps, id, err);
    grpcc_arena_free(steps.arena);
    return status;
}

/* ---- sessions ---- */

/* Objects of a dead session, a few at a time. */
struct sweep {
    struct comb_data *data;
    struct comb_ctx steps;
    struct comb_uuid session;
    struct comb_uuid objects[COMB_DATA_NAMED_MAX];
    size_t n;
    enum comb_status status;
    struct comb_error *err;
};

/* Removes those that have no row. The session is dead: none can get one any more. */
static bool sweep_objects(struct sweep *sweep)
{
    struct comb_data_store *store = sweep->data->use.store;
    bool named[COMB_DATA_NAMED_MAX] = {false};
    char key[COMB_BLOB_KEY_MAX];

    sweep->status =
        store->driver->are_named(store, &sweep->steps, sweep->objects, sweep->n, named, sweep->err);
    for (size_t i = 0; sweep->status == COMB_OK && i < sweep->n; i++) {
        if (!named[i])
            sweep->status = comb_blob_remove(
                sweep->data->use.blobs, &sweep->steps,
                comb_blob_key(&sweep->session, &sweep->objects[i], key), sweep->err);
    }
    grpcc_arena_reset(sweep->steps.arena);
    sweep->n = 0;
    return sweep->status == COMB_OK;
}

static bool sweep_one(void *data, comb_str key, uint64_t size)
{
    struct sweep *sweep = data;
    comb_str object = comb_str_of(key.ptr + COMB_UUID_TEXT_LENGTH + 1, COMB_UUID_TEXT_LENGTH);

    (void)size;
    if (comb_uuid_parse(object, &sweep->objects[sweep->n]))
        sweep->n++;
    return sweep->n < COMB_DATA_NAMED_MAX || sweep_objects(sweep);
}

static enum comb_status sweep_session(struct comb_data *data, struct comb_ctx *ctx,
                                      const struct comb_uuid *session, struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    struct sweep sweep = {.data = data, .session = *session, .err = err};
    char prefix[COMB_UUID_TEXT_LENGTH + 2];
    enum comb_status status = begin_steps(ctx, &sweep.steps, err);

    if (status != COMB_OK)
        return status;
    comb_uuid_format(session, prefix);
    prefix[COMB_UUID_TEXT_LENGTH] = '/';
    status = comb_blob_list(data->use.blobs, ctx, comb_str_of(prefix, COMB_UUID_TEXT_LENGTH + 1),
                            sweep_one, &sweep, err);
    if (status == COMB_OK && sweep.status == COMB_OK)
        sweep_objects(&sweep);
    if (status == COMB_OK)
        status = sweep.status;
    grpcc_arena_free(sweep.steps.arena);
    return status == COMB_OK ? store->driver->set_swept(store, ctx, session, err) : status;
}

static enum comb_status sweep_sessions(struct comb_data *data, struct comb_ctx *ctx,
                                       struct comb_data_swept *swept, bool *ret_more,
                                       struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    struct comb_uuid session;
    bool is_found = true;
    enum comb_status status = COMB_OK;
    int n;

    for (n = 0; status == COMB_OK && is_found && n < DROPS_PER_ROUND; n++) {
        status = store->driver->next_dead_session(store, ctx, &is_found, &session, err);
        if (status == COMB_OK && is_found)
            status = sweep_session(data, ctx, &session, err);
        swept->sessions += status == COMB_OK && is_found;
    }
    *ret_more |= is_found && n == DROPS_PER_ROUND;
    return status;
}

enum comb_status comb_data_keep_session(struct comb_data *data, struct comb_ctx *ctx,
                                        struct comb_error *err)
{
    struct comb_uuid session = comb_data_session(data), now;
    enum comb_status status = comb_data_check_session(data, ctx, &session, err);

    now = comb_data_session(data);
    return status != COMB_OK && !comb_uuid_equal(&now, &session) ? COMB_OK : status;
}

/* ---- uploads and blobs ---- */

static enum comb_status sweep_uploads(struct comb_data *data, struct comb_ctx *ctx,
                                      struct comb_data_swept *swept, bool *ret_more,
                                      struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    struct comb_uuid upload;
    bool is_found = true;
    enum comb_status status = COMB_OK;
    int n;

    for (n = 0; status == COMB_OK && is_found && n < DROPS_PER_ROUND; n++) {
        status = store->driver->next_ended_upload(store, ctx, &is_found, &upload, err);
        if (status == COMB_OK && is_found)
            status = comb_data_drop(data, ctx, &upload, err);
        swept->uploads += status == COMB_OK && is_found;
    }
    *ret_more |= is_found && n == DROPS_PER_ROUND;
    return status;
}

static enum comb_status remove_blob(struct comb_data *data, struct comb_ctx *ctx,
                                    const struct comb_data_blob *blob, struct comb_error *err)
{
    char key[COMB_BLOB_KEY_MAX];
    enum comb_status status = COMB_OK;

    if (!comb_uuid_is_nil(&blob->session))
        status = comb_blob_remove(data->use.blobs, ctx,
                                  comb_blob_key(&blob->session, &blob->id, key), err);
    return status == COMB_OK ? comb_data_drop(data, ctx, &blob->id, err) : status;
}

static enum comb_status sweep_blobs(struct comb_data *data, struct comb_ctx *ctx,
                                    struct comb_data_swept *swept, bool *ret_more,
                                    struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    struct comb_data_blob blob;
    bool is_found = true;
    enum comb_status status =
        store->driver->condemn(store, ctx, COMB_DATA_BATCH_MAX, &data->condemned_after, err);
    int n;

    for (n = 0; status == COMB_OK && is_found && n < DROPS_PER_ROUND; n++) {
        status = store->driver->next_doomed(store, ctx, data->use.restore_window_us, &is_found,
                                            &blob, err);
        if (status == COMB_OK && is_found)
            status = remove_blob(data, ctx, &blob, err);
        swept->blobs += status == COMB_OK && is_found;
    }
    *ret_more |= (is_found && n == DROPS_PER_ROUND) || !comb_uuid_is_nil(&data->condemned_after);
    return status;
}

/* Objects in whose place others have come. */
static enum comb_status sweep_replaced(struct comb_data *data, struct comb_ctx *ctx, bool *ret_more,
                                       struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    const struct comb_data_part *objects;
    char key[COMB_BLOB_KEY_MAX];
    size_t n = 0;
    enum comb_status status = store->driver->list_replaced(store, ctx, data->use.restore_window_us,
                                                           PARTS_PER_STEP, &objects, &n, err);

    for (size_t i = 0; status == COMB_OK && i < n; i++) {
        status = comb_blob_remove(data->use.blobs, ctx,
                                  comb_blob_key(&objects[i].session, &objects[i].object, key), err);
        if (status == COMB_OK)
            status = store->driver->forget_replaced(store, ctx, &objects[i].object, err);
    }
    *ret_more |= n == PARTS_PER_STEP;
    return status;
}

enum comb_status comb_data_sweep(struct comb_data *data, struct comb_ctx *ctx,
                                 struct comb_data_swept *swept, bool *ret_more,
                                 struct comb_error *err)
{
    enum comb_status status;
    bool more = false;

    pthread_mutex_lock(&data->sweep_lock);
    status = comb_data_keep_session(data, ctx, err);
    if (status == COMB_OK)
        status = sweep_sessions(data, ctx, swept, &more, err);
    if (status == COMB_OK)
        status = sweep_uploads(data, ctx, swept, &more, err);
    if (status == COMB_OK)
        status = sweep_blobs(data, ctx, swept, &more, err);
    if (status == COMB_OK)
        status = sweep_replaced(data, ctx, &more, err);
    pthread_mutex_unlock(&data->sweep_lock);
    if (status == COMB_OK)
        *ret_more = more;
    return status;
}
