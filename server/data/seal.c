/* SPDX-License-Identifier: Apache-2.0 */
/* Objects that are encrypted on their way into the data row, and decrypted on their way out. */
#include "comb/v1/errors.grpcc.h"
#include "server/core/memory.h"
#include "server/core/random.h"
#include "server/data/internal.h"

/* ---- in ---- */

struct comb_data_sealer {
    struct comb_block_cipher *cipher;
    struct comb_content_hash stored; /* of what went into the store */
    uint64_t number;                 /* of the block that `block` becomes */
    size_t n_block, n_sealed;
    char block[COMB_BLOCK_BYTES]; /* not yet sealed: it may be the last one */
    char sealed[COMB_DATA_SEALED_BLOCKS * COMB_BLOCK_STORED_BYTES]; /* not yet written */
};

enum comb_status comb_data_sealer_new(struct comb_data_object *object, struct comb_ctx *ctx,
                                      struct comb_error *err)
{
    struct comb_data_sealer *sealer = comb_memory_alloc(sizeof *sealer);
    uint8_t key[COMB_BLOCK_KEY_BYTES];
    enum comb_status status;

    if (!sealer)
        return comb_error_no_memory(err);
    sealer->number = 0;
    sealer->n_block = sealer->n_sealed = 0;
    sealer->cipher = NULL;
    comb_content_hash_init(&sealer->stored);
    comb_random(key, sizeof key);
    status =
        comb_data_keys_wrap(object->data->keys, ctx, &object->id, key, object->seal.wrapped, err);
    if (status == COMB_OK)
        status = comb_block_cipher_new(true, key, &object->id, &sealer->cipher, err);
    comb_memory_wipe(key, sizeof key);
    if (status != COMB_OK) {
        comb_data_sealer_free(sealer);
        return status;
    }
    object->sealer = sealer;
    return COMB_OK;
}

void comb_data_sealer_free(struct comb_data_sealer *sealer)
{
    if (!sealer)
        return;
    comb_block_cipher_free(sealer->cipher);
    comb_memory_free(sealer);
}

static enum comb_status write_sealed(struct comb_data_object *object, struct comb_ctx *ctx,
                                     struct comb_error *err)
{
    struct comb_data_sealer *sealer = object->sealer;
    const comb_str bytes = comb_str_of(sealer->sealed, sealer->n_sealed);
    struct comb_hash_job job;
    enum comb_status status;

    comb_hashers_begin(object->data->hashers, &job, &sealer->stored, bytes);
    status = comb_blob_write(object->data->use.blobs, ctx, object->writer, bytes, err);
    comb_hashers_end(object->data->hashers, &job);
    sealer->n_sealed = 0;
    return status;
}

static enum comb_status seal_block(struct comb_data_object *object, struct comb_ctx *ctx,
                                   bool is_last, struct comb_error *err)
{
    struct comb_data_sealer *sealer = object->sealer;
    enum comb_status status = comb_block_seal(sealer->cipher, sealer->number++, is_last,
                                              comb_str_of(sealer->block, sealer->n_block),
                                              sealer->sealed + sealer->n_sealed, err);

    if (status != COMB_OK)
        return status;
    sealer->n_sealed += sealer->n_block + COMB_BLOCK_TAG_BYTES;
    sealer->n_block = 0;
    return is_last || sealer->n_sealed == sizeof sealer->sealed ? write_sealed(object, ctx, err)
                                                                : COMB_OK;
}

enum comb_status comb_data_sealer_write(struct comb_data_object *object, struct comb_ctx *ctx,
                                        comb_str bytes, struct comb_error *err)
{
    struct comb_data_sealer *sealer = object->sealer;
    enum comb_status status = COMB_OK;

    while (status == COMB_OK && bytes.len > 0) {
        size_t n = COMB_BLOCK_BYTES - sealer->n_block;

        if (n == 0) {
            status = seal_block(object, ctx, false, err);
            continue;
        }
        if (n > bytes.len)
            n = bytes.len;
        memcpy(sealer->block + sealer->n_block, bytes.ptr, n);
        sealer->n_block += n;
        bytes = comb_str_of(bytes.ptr + n, bytes.len - n);
    }
    return status;
}

enum comb_status comb_data_sealer_end(struct comb_data_object *object, struct comb_ctx *ctx,
                                      struct comb_error *err)
{
    struct comb_data_sealer *sealer = object->sealer;
    enum comb_status status = seal_block(object, ctx, true, err);

    if (status != COMB_OK)
        return status;
    object->seal.is_sealed = true;
    object->seal.stored = sealer->stored.bytes;
    comb_content_hash_digest(&sealer->stored, object->seal.stored_sha256);
    comb_data_sealer_free(sealer);
    object->sealer = NULL;
    return COMB_OK;
}

/* ---- out ---- */

struct comb_data_opener {
    struct comb_data *data;
    struct comb_block_cipher *cipher;
    uint64_t size;            /* of the content */
    uint64_t first, n_blocks; /* those that are in `bytes`, opened */
    size_t capacity;          /* blocks that `bytes` has room for */
    char *bytes;
};

enum comb_status comb_data_opener_new(struct comb_data *data, struct comb_ctx *ctx,
                                      const struct comb_uuid *object, uint64_t size,
                                      const struct comb_data_seal *seal,
                                      struct comb_data_opener **ret_opener, struct comb_error *err)
{
    struct comb_data_opener *opener;
    uint8_t key[COMB_BLOCK_KEY_BYTES];
    enum comb_status status;

    if (!data->keys)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "the content is encrypted, and there is no vault");
    status = comb_data_keys_unwrap(data->keys, ctx, object, seal->wrapped, key, err);
    if (status != COMB_OK)
        return status;
    opener = comb_memory_zalloc(sizeof *opener);
    if (opener) {
        opener->data = data;
        opener->size = size;
        status = comb_block_cipher_new(false, key, object, &opener->cipher, err);
    } else {
        status = comb_error_no_memory(err);
    }
    comb_memory_wipe(key, sizeof key);
    if (status == COMB_OK)
        *ret_opener = opener;
    else
        comb_data_opener_free(opener);
    return status;
}

void comb_data_opener_free(struct comb_data_opener *opener)
{
    if (!opener)
        return;
    comb_block_cipher_free(opener->cipher);
    comb_memory_free(opener->bytes);
    comb_memory_free(opener);
}

/* Room for n blocks; it only grows. */
static enum comb_status make_room(struct comb_data_opener *opener, size_t n, struct comb_error *err)
{
    char *bytes;

    if (opener->capacity >= n)
        return COMB_OK;
    bytes = comb_memory_realloc(opener->bytes, n * COMB_BLOCK_STORED_BYTES);
    if (!bytes)
        return comb_error_no_memory(err);
    opener->bytes = bytes;
    opener->capacity = n;
    return COMB_OK;
}

static enum comb_status read_stored(struct comb_data_opener *opener, struct comb_ctx *ctx,
                                    struct comb_blob_reader *reader, uint64_t offset, size_t len,
                                    struct comb_error *err)
{
    for (size_t done = 0, n = 0; done < len; done += n) {
        enum comb_status status =
            comb_blob_read(opener->data->use.blobs, ctx, reader, offset + done,
                           opener->bytes + done, len - done, &n, err);

        if (status == COMB_OK && n == 0)
            status = comb_error_set(err, COMB_DATA_LOSS, 0, "the content was cut in the store");
        if (status != COMB_OK)
            return status;
    }
    return COMB_OK;
}

/* Reads and opens the blocks that hold the bytes from offset up to end, as many as one piece has
 * room for. */
static enum comb_status load(struct comb_data_opener *opener, struct comb_ctx *ctx,
                             struct comb_blob_reader *reader, uint64_t offset, uint64_t end,
                             struct comb_error *err)
{
    uint64_t total = comb_blocks_of(opener->size), first = offset / COMB_BLOCK_BYTES;
    uint64_t n = (end - 1) / COMB_BLOCK_BYTES + 1 - first;
    uint64_t begin = first * COMB_BLOCK_STORED_BYTES, rest = comb_blocks_stored(opener->size);
    size_t len, done = 0;
    enum comb_status status;

    if (n > COMB_DATA_SEALED_BLOCKS)
        n = COMB_DATA_SEALED_BLOCKS;
    rest -= begin;
    len = (size_t)n * COMB_BLOCK_STORED_BYTES;
    if (len > rest)
        len = (size_t)rest;
    opener->n_blocks = 0;
    status = make_room(opener, (size_t)n, err);
    if (status == COMB_OK)
        status = read_stored(opener, ctx, reader, begin, len, err);
    for (uint64_t i = first; status == COMB_OK && done < len; i++) {
        size_t stored = len - done < COMB_BLOCK_STORED_BYTES ? len - done : COMB_BLOCK_STORED_BYTES;

        status =
            comb_block_open(opener->cipher, i, i + 1 == total, opener->bytes + done, stored, err);
        done += stored;
    }
    if (status != COMB_OK)
        return status;
    opener->first = first;
    opener->n_blocks = n;
    return COMB_OK;
}

enum comb_status comb_data_opener_read(struct comb_data_opener *opener, struct comb_ctx *ctx,
                                       struct comb_blob_reader *reader, uint64_t offset,
                                       uint64_t end, char *buffer, size_t capacity, size_t *ret_n,
                                       struct comb_error *err)
{
    uint64_t block = offset / COMB_BLOCK_BYTES, in_block = offset % COMB_BLOCK_BYTES;
    uint64_t n = COMB_BLOCK_BYTES - in_block;

    if (block < opener->first || block >= opener->first + opener->n_blocks) {
        enum comb_status status = load(opener, ctx, reader, offset, end, err);

        if (status != COMB_OK)
            return status;
    }
    if (n > opener->size - offset)
        n = opener->size - offset;
    if (n > capacity)
        n = capacity;
    memcpy(buffer, opener->bytes + (block - opener->first) * COMB_BLOCK_STORED_BYTES + in_block,
           (size_t)n);
    *ret_n = (size_t)n;
    return COMB_OK;
}
