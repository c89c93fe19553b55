/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption of contents that are there, and new wrappings of their keys. */
#include "comb/v1/errors.grpcc.h"
#include "server/core/log.h"
#include "server/core/memory.h"
#include "server/data/internal.h"

/* Rows that one call looks at, where what it does to each is much, and where it is little. */
#define ENCRYPT_ROWS 64
#define REWRAP_ROWS COMB_DATA_BATCH_MAX

static enum comb_status copy_bytes(struct comb_data *data, struct comb_ctx *ctx,
                                   const struct comb_data_named *named,
                                   struct comb_data_object *object, struct comb_error *err)
{
    /* As a content of its own: the object that holds it is all that is read of it. */
    const struct comb_data_blob old = {
        .id = named->part.object, .session = named->part.session, .size = named->part.size};
    char *buffer = comb_memory_alloc(COMB_DATA_CHUNK_MAX);
    struct comb_data_span span;
    enum comb_status status = buffer ? COMB_OK : comb_error_no_memory(err);
    size_t n = 1;

    comb_data_span_init(&span, data, &old, 0, old.size);
    while (status == COMB_OK && n > 0) {
        status = comb_data_span_read(&span, ctx, buffer, COMB_DATA_CHUNK_MAX, &n, err);
        if (status == COMB_OK && n > 0)
            status = comb_data_object_write(object, ctx, comb_str_of(buffer, n), err);
    }
    comb_data_span_done(&span);
    comb_memory_free(buffer);
    if (status == COMB_OK)
        status = comb_data_object_store(object, ctx, err);
    return status == COMB_OK ? comb_data_check_sha256(named->part.sha256, object->digest, err)
                             : status;
}

/* Writes it again and puts that in its place. DATA_LOSS: it is damaged, and stays as it is. */
static enum comb_status encrypt_one(struct comb_data *data, struct comb_ctx *ctx,
                                    const struct comb_data_named *named, struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    struct comb_data_object object;
    struct comb_error why = {.status = COMB_OK};
    enum comb_status status = comb_data_object_begin(&object, data, ctx, named->part.size, err);

    if (status != COMB_OK)
        return status;
    status = copy_bytes(data, ctx, named, &object, &why);
    if (status == COMB_OK) {
        const struct comb_data_part by = {
            .session = object.session, .object = object.id, .seal = object.seal};

        status = store->driver->replace(store, ctx, named, &by, &why);
        if (status == COMB_OK || why.ambiguous)
            comb_data_object_keep(&object);
    }
    comb_data_object_discard(&object);
    if (status != COMB_OK && err)
        *err = why;
    return status;
}

static void log_left(const struct comb_data_named *named, const char *why)
{
    char id[COMB_UUID_TEXT_LENGTH + 1];

    comb_uuid_format(&named->blob, id);
    comb_log(COMB_LOG_WARN, "data", "a content is left unencrypted",
             comb_log_text("blob", comb_str_from(id)),
             comb_log_text("because", comb_str_from(why)));
}

/* Whether the row has changed since it was seen, so that it is not this one's turn any more: it was
 * deleted, or encrypted by another. Else this process was taken for dead. */
static enum comb_status explain_abort(struct comb_data *data, struct comb_ctx *ctx,
                                      struct comb_error *err)
{
    struct comb_uuid session = comb_data_session(data);

    return comb_data_check_session(data, ctx, &session, err);
}

static enum comb_status encrypt_named(struct comb_data *data, struct comb_ctx *ctx,
                                      const struct comb_data_named *named,
                                      struct comb_data_encrypted *state, struct comb_error *err)
{
    struct comb_error why = {.status = COMB_OK};
    enum comb_status status;

    if (named->part.seal.is_sealed)
        return COMB_OK;
    if (named->part.size > COMB_DATA_ENCRYPT_OBJECT_MAX) {
        log_left(named, "it is too large to be encrypted afterwards");
        state->left++;
        return COMB_OK;
    }
    status = encrypt_one(data, ctx, named, &why);
    if (status == COMB_OK) {
        state->objects++;
        state->bytes += named->part.size;
    } else if (status == COMB_DATA_LOSS) {
        log_left(named, why.msg);
        state->left++;
        status = COMB_OK;
    } else if (status == COMB_ABORTED) {
        status = explain_abort(data, ctx, &why);
    }
    if (status != COMB_OK && err)
        *err = why;
    return status;
}

/* The walk that ends behind a row. */
static struct comb_data_walk behind(const struct comb_data_named *named)
{
    return (struct comb_data_walk){
        .in_parts = named->is_part, .blob = named->blob, .offset = named->part.offset};
}

enum comb_status comb_data_encrypt_some(struct comb_data *data, struct comb_ctx *ctx,
                                        struct comb_data_encrypted *state,
                                        bool (*may_go_on)(const void *of), const void *of,
                                        struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    struct comb_data_walk walk = state->walk;
    const struct comb_data_named *named;
    uint64_t bytes = state->bytes;
    size_t n = 0;
    enum comb_status status;

    if (!data->keys || !data->use.encrypts)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "combd does not encrypt contents; start it with --encrypt-data");
    status = store->driver->walk(store, ctx, ENCRYPT_ROWS, &walk, &named, &n, err);
    for (size_t i = 0; status == COMB_OK && i < n; i++) {
        /* Not so much that the next object may not end in time. */
        if ((may_go_on && !may_go_on(of)) ||
            state->bytes - bytes > COMB_DATA_ENCRYPT_OBJECT_MAX / 8)
            return COMB_OK;
        status = encrypt_named(data, ctx, &named[i], state, err);
        if (status == COMB_OK)
            state->walk = behind(&named[i]);
    }
    if (status == COMB_OK)
        state->walk = walk;
    return status;
}

/* ---- rewrapping ---- */

struct rewraps {
    struct comb_data_named seen[COMB_DATA_NAMED_MAX];
    uint8_t wrapped[COMB_DATA_NAMED_MAX][COMB_DATA_WRAPPED_SIZE];
    size_t n;
};

static enum comb_status write_rewraps(struct comb_data *data, struct comb_ctx *ctx,
                                      struct rewraps *some, struct comb_data_encrypted *state,
                                      struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    enum comb_status status = store->driver->rewrap(
        store, ctx, some->seen, (const uint8_t(*)[COMB_DATA_WRAPPED_SIZE])some->wrapped, some->n,
        err);

    if (status == COMB_OK)
        state->objects += some->n;
    some->n = 0;
    return status;
}

static enum comb_status rewrap_named(struct comb_data *data, struct comb_ctx *ctx,
                                     const struct comb_data_named *named, struct rewraps *some,
                                     struct comb_data_encrypted *state, struct comb_error *err)
{
    const struct comb_data_part *part = &named->part;
    struct comb_error why = {.status = COMB_OK};
    uint8_t key[COMB_BLOCK_KEY_BYTES];
    enum comb_status status;

    if (!part->seal.is_sealed || !comb_data_keys_is_old(data->keys, part->seal.wrapped))
        return COMB_OK;
    status = comb_data_keys_unwrap(data->keys, ctx, &part->object, part->seal.wrapped, key, &why);
    if (status == COMB_OK)
        status =
            comb_data_keys_wrap(data->keys, ctx, &part->object, key, some->wrapped[some->n], &why);
    comb_memory_wipe(key, sizeof key);
    if (status == COMB_DATA_LOSS) {
        log_left(named, why.msg);
        state->left++;
        return COMB_OK;
    }
    if (status == COMB_OK) {
        some->seen[some->n++] = *named;
        if (some->n == COMB_DATA_NAMED_MAX)
            return write_rewraps(data, ctx, some, state, err);
    } else if (err) {
        *err = why;
    }
    return status;
}

enum comb_status comb_data_rewrap_some(struct comb_data *data, struct comb_ctx *ctx,
                                       const struct comb_uuid *request,
                                       struct comb_data_encrypted *state, struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    struct comb_data_walk walk = state->walk;
    const struct comb_data_named *named;
    struct rewraps *some = NULL;
    size_t n = 0;
    enum comb_status status;

    if (!data->keys)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0, "there is no vault");
    status = comb_data_keys_rotate(data->keys, ctx, request, err);
    if (status == COMB_OK)
        status = store->driver->walk(store, ctx, REWRAP_ROWS, &walk, &named, &n, err);
    if (status != COMB_OK)
        return status;
    some = comb_memory_alloc(sizeof *some);
    if (!some)
        return comb_error_no_memory(err);
    some->n = 0;
    for (size_t i = 0; status == COMB_OK && i < n; i++)
        status = rewrap_named(data, ctx, &named[i], some, state, err);
    if (status == COMB_OK)
        status = write_rewraps(data, ctx, some, state, err);
    comb_memory_free(some);
    if (status == COMB_OK)
        state->walk = walk;
    return status;
}
