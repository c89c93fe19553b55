/* SPDX-License-Identifier: Apache-2.0 */
/* The domain itself, its writer session, and objects on their way into the data row. */
#include "comb/v1/errors.grpcc.h"
#include "server/core/memory.h"
#include "server/data/internal.h"

enum comb_status comb_data_new(const struct comb_data_options *options, struct comb_ctx *ctx,
                               struct comb_data **ret_data, struct comb_error *err)
{
    struct comb_data *data = comb_memory_zalloc(sizeof *data);
    enum comb_status status;

    if (!data)
        return comb_error_no_memory(err);
    data->use = *options;
    if (data->use.restore_window_us == 0)
        data->use.restore_window_us = COMB_DATA_RESTORE_WINDOW_US;
    if (data->use.uploads_max == 0)
        data->use.uploads_max = COMB_DATA_UPLOADS_MAX;
    data->session = comb_uuid_new();
    status = comb_hashers_new(&data->hashers, err);
    if (status == COMB_OK && options->vault)
        status = comb_data_keys_new(options->vault, &data->keys, err);
    if (status == COMB_OK)
        status = options->store->driver->open_session(options->store, ctx, &data->session, err);
    if (status != COMB_OK) {
        comb_data_keys_free(data->keys);
        comb_hashers_free(data->hashers);
        comb_memory_free(data);
        return status;
    }
    pthread_mutex_init(&data->lock, NULL);
    pthread_mutex_init(&data->sweep_lock, NULL);
    *ret_data = data;
    return COMB_OK;
}

void comb_data_free(struct comb_data *data)
{
    if (!data)
        return;
    pthread_mutex_destroy(&data->lock);
    pthread_mutex_destroy(&data->sweep_lock);
    comb_data_keys_free(data->keys);
    comb_hashers_free(data->hashers);
    comb_memory_free(data);
}

struct comb_uuid comb_data_session(struct comb_data *data)
{
    struct comb_uuid session;

    pthread_mutex_lock(&data->lock);
    session = data->session;
    pthread_mutex_unlock(&data->lock);
    return session;
}

/* A new session in place of one that is dead. Two threads may both make one: the second is not used
 * and dies with its lease. */
static enum comb_status replace_session(struct comb_data *data, struct comb_ctx *ctx,
                                        const struct comb_uuid *dead, struct comb_error *err)
{
    struct comb_uuid fresh = comb_uuid_new();
    struct comb_uuid current = comb_data_session(data);
    enum comb_status status;

    if (!comb_uuid_equal(&current, dead))
        return COMB_OK;
    status = data->use.store->driver->open_session(data->use.store, ctx, &fresh, err);
    if (status != COMB_OK)
        return status;
    pthread_mutex_lock(&data->lock);
    if (comb_uuid_equal(&data->session, dead))
        data->session = fresh;
    pthread_mutex_unlock(&data->lock);
    return COMB_OK;
}

enum comb_status comb_data_check_session(struct comb_data *data, struct comb_ctx *ctx,
                                         const struct comb_uuid *session, struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    bool is_alive = false;
    enum comb_status status = store->driver->renew_session(store, ctx, session, &is_alive, err);

    if (status != COMB_OK || is_alive)
        return status;
    status = replace_session(data, ctx, session, err);
    if (status != COMB_OK)
        return status;
    comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                   "this replica was taken for dead while it took the content; send it again");
    if (err)
        err->retryable = true;
    return COMB_UNAVAILABLE;
}

/* ---- objects ---- */

enum comb_status comb_data_object_begin(struct comb_data_object *object, struct comb_data *data,
                                        struct comb_ctx *ctx, uint64_t size_hint,
                                        struct comb_error *err)
{
    char key[COMB_BLOB_KEY_MAX];
    enum comb_status status = COMB_OK;

    object->data = data;
    object->session = comb_data_session(data);
    object->id = comb_uuid_new();
    object->is_stored = false;
    object->writer = NULL;
    object->sealer = NULL;
    object->seal = (struct comb_data_seal){.is_sealed = false};
    comb_content_hash_init(&object->hash);
    /* Before a byte is taken: where the vault is away, the caller hears it now. */
    if (data->keys && data->use.encrypts)
        status = comb_data_sealer_new(object, ctx, err);
    if (status == COMB_OK)
        status = comb_blob_create(
            data->use.blobs, ctx, comb_blob_key(&object->session, &object->id, key),
            object->sealer && size_hint > 0 ? comb_blocks_stored(size_hint) : size_hint,
            &object->writer, err);
    if (status != COMB_OK) {
        comb_data_sealer_free(object->sealer);
        object->sealer = NULL;
    }
    return status;
}

/* Only a sweeper removes what is being written: it takes this session for dead. */
static enum comb_status explain_removal(const struct comb_data_object *object, struct comb_ctx *ctx,
                                        struct comb_error *err)
{
    enum comb_status status = comb_data_check_session(object->data, ctx, &object->session, err);

    return status == COMB_OK
               ? comb_error_set(err, COMB_INTERNAL, 0, "an object was removed while written")
               : status;
}

enum comb_status comb_data_object_write(struct comb_data_object *object, struct comb_ctx *ctx,
                                        comb_str bytes, struct comb_error *err)
{
    struct comb_hashers *hashers = object->data->hashers;
    struct comb_hash_job job;
    enum comb_status status;

    comb_hashers_begin(hashers, &job, &object->hash, bytes);
    status = object->sealer
                 ? comb_data_sealer_write(object, ctx, bytes, err)
                 : comb_blob_write(object->data->use.blobs, ctx, object->writer, bytes, err);
    comb_hashers_end(hashers, &job);
    return status == COMB_ABORTED ? explain_removal(object, ctx, err) : status;
}

enum comb_status comb_data_object_store(struct comb_data_object *object, struct comb_ctx *ctx,
                                        struct comb_error *err)
{
    struct comb_blob_writer *writer;
    enum comb_status status = COMB_OK;

    if (object->sealer)
        status = comb_data_sealer_end(object, ctx, err);
    if (status != COMB_OK)
        return status == COMB_ABORTED ? explain_removal(object, ctx, err) : status;
    writer = object->writer;
    object->writer = NULL;
    status = comb_blob_commit(object->data->use.blobs, ctx, writer, err);
    if (status == COMB_OK) {
        object->is_stored = true;
        comb_content_hash_digest(&object->hash, object->digest);
    } else if (status == COMB_ABORTED) {
        status = explain_removal(object, ctx, err);
    }
    return status;
}

void comb_data_object_discard(struct comb_data_object *object)
{
    /* The call may be past its deadline; what it wrote must go all the same. */
    struct comb_ctx ctx = {.deadline_ns = INT64_MAX};
    char key[COMB_BLOB_KEY_MAX];

    comb_blob_abort(object->data->use.blobs, object->writer);
    object->writer = NULL;
    comb_data_sealer_free(object->sealer);
    object->sealer = NULL;
    /* A failure leaves an orphan, which the sweeper finds once this process has ended. */
    if (object->is_stored &&
        comb_blob_remove(object->data->use.blobs, &ctx,
                         comb_blob_key(&object->session, &object->id, key), NULL) == COMB_OK)
        object->is_stored = false;
}

void comb_data_object_keep(struct comb_data_object *object)
{
    object->is_stored = false;
}
