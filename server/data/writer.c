/* SPDX-License-Identifier: Apache-2.0 */
/* Contents that come in: whole files, and parts of uploads. */
#include "comb/v1/errors.grpcc.h"
#include "server/core/memory.h"
#include "server/data/internal.h"

struct comb_data_writer {
    struct comb_data_object object;
    struct comb_request_key key;
    const char *field; /* before the names of the header's fields */
    bool has_size;
    uint64_t size;     /* that was announced */
    uint64_t size_max; /* no more bytes are taken */
    comb_str sha256;   /* that was given */
    unsigned attempts; /* of deciding */
    /* A file: */
    struct comb_tree_put put;
    struct comb_tree_written written;
    /* A part: */
    struct comb_data_upload upload;
    uint64_t offset;
    bool goes_on;                   /* where the hash of the upload stands */
    struct comb_content_hash whole; /* of the upload, if it goes on and does not begin here */
    bool is_repeated;               /* the same part is there already */
};

static enum comb_status begin(struct comb_data *data, struct comb_ctx *ctx,
                              struct comb_data_writer *writer, struct comb_data_writer **ret_writer,
                              struct comb_error *err)
{
    struct comb_data_writer *copy = comb_memory_alloc(sizeof *copy);
    enum comb_status status;

    if (!copy)
        return comb_error_no_memory(err);
    *copy = *writer;
    status = comb_data_object_begin(&copy->object, data, ctx, copy->has_size ? copy->size : 0, err);
    if (status != COMB_OK) {
        comb_memory_free(copy);
        return status;
    }
    *ret_writer = copy;
    return COMB_OK;
}

enum comb_status comb_data_begin_file(struct comb_data *data, struct comb_ctx *ctx,
                                      const struct comb_v1_upload_header *header, const char *field,
                                      const struct comb_request_key *key,
                                      struct comb_data_writer **ret_writer, struct comb_error *err)
{
    struct comb_data_writer writer = {
        .key = *key,
        .field = field,
        .has_size = header->has_size,
        .size = header->size,
        .size_max = header->has_size ? header->size : COMB_DATA_FILE_BYTES_MAX,
    };
    struct comb_tree_put check;
    enum comb_status status = comb_data_sha256_of(
        &header->sha256, comb_data_field(ctx->arena, field, "sha256"), &writer.sha256, err);

    if (status == COMB_OK)
        status = comb_data_put_of_target(
            header->target, comb_data_field(ctx->arena, field, "target"), &writer.put, err);
    if (status == COMB_OK && header->has_size && header->size > COMB_DATA_FILE_BYTES_MAX)
        status = comb_error_set_subject(err, COMB_RESOURCE_EXHAUSTED,
                                        COMB_V1_ERROR_REASON_TOO_LARGE, "file_bytes_max",
                                        "a file has at most %llu bytes", COMB_DATA_FILE_BYTES_MAX);
    if (status != COMB_OK)
        return status;
    /* What would be refused at the end is refused before a byte is taken, but for the condition:
     * a repetition after success finds its own file there. */
    check = writer.put;
    check.condition = COMB_TREE_ANY;
    status = comb_tree_check_put(data->use.tree, ctx, &check, err);
    return status == COMB_OK ? begin(data, ctx, &writer, ret_writer, err) : status;
}

/* Where the part may end, and whether its hash continues that of the upload. */
static enum comb_status look_around(struct comb_data *data, struct comb_ctx *ctx,
                                    struct comb_data_writer *writer, struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    const struct comb_data_part *next;
    size_t n_next;
    enum comb_status status = store->driver->get_parts(store, ctx, &writer->upload.id,
                                                       writer->offset, 1, &next, &n_next, err);

    if (status != COMB_OK)
        return status;
    writer->size_max = COMB_DATA_PART_BYTES_MAX;
    if (writer->upload.has_size && writer->upload.size - writer->offset < writer->size_max)
        writer->size_max = writer->upload.size - writer->offset;
    if (n_next == 1 && next->offset < writer->offset)
        return comb_error_field(err, comb_data_field(ctx->arena, writer->field, "offset"),
                                "the bytes %llu to %llu are there already",
                                (unsigned long long)next->offset,
                                (unsigned long long)(next->offset + next->size - 1));
    if (n_next == 1 && next->offset == writer->offset)
        writer->size_max = next->size; /* the same part again, if it is that */
    else if (n_next == 1 && next->offset - writer->offset < writer->size_max)
        writer->size_max = next->offset - writer->offset;
    writer->goes_on = writer->upload.hashed.bytes == writer->offset &&
                      comb_content_hash_load(&writer->upload.hashed, &writer->whole);
    return COMB_OK;
}

enum comb_status comb_data_begin_part(struct comb_data *data, struct comb_ctx *ctx,
                                      const struct comb_v1_part_header *header, const char *field,
                                      const struct comb_request_key *key,
                                      struct comb_data_writer **ret_writer, struct comb_error *err)
{
    struct comb_data_writer writer = {.key = *key, .field = field, .offset = header->offset};
    enum comb_status status = comb_data_sha256_of(
        &header->sha256, comb_data_field(ctx->arena, field, "sha256"), &writer.sha256, err);

    if (status == COMB_OK)
        status = comb_data_find_upload(data, ctx, header->upload_id,
                                       comb_data_field(ctx->arena, field, "upload_id"),
                                       &writer.upload, err);
    if (status != COMB_OK)
        return status;
    if (writer.offset >= COMB_DATA_FILE_BYTES_MAX ||
        (writer.upload.has_size && writer.offset >= writer.upload.size))
        return comb_error_field(err, comb_data_field(ctx->arena, field, "offset"),
                                "the upload ends before byte %llu",
                                (unsigned long long)writer.offset);
    status = look_around(data, ctx, &writer, err);
    return status == COMB_OK ? begin(data, ctx, &writer, ret_writer, err) : status;
}

static enum comb_status too_much(const struct comb_data_writer *writer, struct comb_ctx *ctx,
                                 struct comb_error *err)
{
    bool is_part = !comb_uuid_is_nil(&writer->upload.id);

    if (!is_part && writer->has_size)
        return comb_error_field(err, comb_data_field(ctx->arena, writer->field, "size"),
                                "the content has more than the announced %llu bytes",
                                (unsigned long long)writer->size);
    if (is_part && writer->size_max < COMB_DATA_PART_BYTES_MAX)
        return comb_error_field(err, comb_data_field(ctx->arena, writer->field, "offset"),
                                "a part from here on has at most %llu bytes: others are there, or "
                                "the upload ends",
                                (unsigned long long)writer->size_max);
    return comb_error_set_subject(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                                  is_part ? "part_bytes_max" : "file_bytes_max",
                                  "at most %llu bytes are taken",
                                  (unsigned long long)writer->size_max);
}

enum comb_status comb_data_write(struct comb_data_writer *writer, struct comb_ctx *ctx,
                                 comb_str bytes, struct comb_error *err)
{
    struct comb_hashers *hashers = writer->object.data->hashers;
    struct comb_hash_job whole;
    enum comb_status status;

    if (bytes.len > COMB_DATA_CHUNK_MAX)
        return comb_error_set_subject(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                                      "chunk_bytes_max", "a chunk has at most %u bytes",
                                      COMB_DATA_CHUNK_MAX);
    if (bytes.len > writer->size_max - writer->object.hash.bytes)
        return too_much(writer, ctx, err);
    /* A part at the beginning is all of the upload's hash so far: its own will do. */
    if (writer->goes_on && writer->offset > 0)
        comb_hashers_begin(hashers, &whole, &writer->whole, bytes);
    status = comb_data_object_write(&writer->object, ctx, bytes, err);
    if (writer->goes_on && writer->offset > 0)
        comb_hashers_end(hashers, &whole);
    return status;
}

/* Checks what came, makes it durable, and binds the request to it. */
static enum comb_status store(struct comb_data_writer *writer, struct comb_ctx *ctx,
                              struct comb_error *err)
{
    struct comb_data_object *object = &writer->object;
    uint8_t bound[sizeof writer->key.hash + COMB_SHA256_SIZE];
    enum comb_status status;

    if (writer->has_size && object->hash.bytes != writer->size)
        return comb_error_field(err, comb_data_field(ctx->arena, writer->field, "size"),
                                "%llu bytes came instead of the announced %llu",
                                (unsigned long long)object->hash.bytes,
                                (unsigned long long)writer->size);
    comb_content_hash_digest(&object->hash, object->digest);
    status = comb_data_check_sha256(writer->sha256, object->digest, err);
    if (status == COMB_OK)
        status = comb_data_object_store(object, ctx, err);
    if (status != COMB_OK)
        return status;
    memcpy(bound, writer->key.hash, sizeof writer->key.hash);
    memcpy(bound + sizeof writer->key.hash, object->digest, COMB_SHA256_SIZE);
    return comb_sha256(comb_str_of(bound, sizeof bound), writer->key.hash, err);
}

/* A guard has not held: it may have been that of the session, which no new decision mends. */
static enum comb_status check_attempt(struct comb_data_writer *writer, struct comb_ctx *ctx,
                                      struct comb_error *err)
{
    return writer->attempts++ == 0
               ? COMB_OK
               : comb_data_check_session(writer->object.data, ctx, &writer->object.session, err);
}

/*
 * After a success of which it is not sure that it names this object: the request was executed
 * before, perhaps by a write of this very call that was taken for lost, or the part was there. No
 * write of this call can still be on its way: the request id is taken.
 */
static void keep_if_named(struct comb_data_object *object, struct comb_ctx *ctx)
{
    struct comb_data_store *store = object->data->use.store;
    bool is_named = true;

    if (store->driver->are_named(store, ctx, &object->id, 1, &is_named, NULL) != COMB_OK ||
        is_named)
        comb_data_object_keep(object);
    else
        comb_data_object_discard(object);
}

/* Runs the mutation that names the object. Where it fails for sure, the object goes with the
 * writer. */
static enum comb_status name(struct comb_data_writer *writer, struct comb_ctx *ctx,
                             comb_mutation_decide decide, struct comb_outcome *ret_outcome,
                             struct comb_error *err)
{
    struct comb_error failure = {.status = COMB_OK};
    enum comb_status status =
        comb_mutation_run(writer->object.data->use.mutations, ctx, &writer->key, decide, writer,
                          ret_outcome, &failure);

    if (status == COMB_OK && (ret_outcome->replayed || writer->is_repeated))
        keep_if_named(&writer->object, ctx);
    else if (status == COMB_OK || failure.ambiguous)
        comb_data_object_keep(&writer->object);
    if (status != COMB_OK && err)
        *err = failure;
    return status;
}

/* ---- a file ---- */

static enum comb_status plan_file(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                  struct comb_error *err)
{
    struct comb_data_writer *writer = data;
    struct comb_data *domain = writer->object.data;
    const struct comb_data_blob blob = {
        .id = writer->object.id,
        .session = writer->object.session,
        .size = writer->object.hash.bytes,
        .sha256 = comb_str_of(writer->object.digest, COMB_SHA256_SIZE),
        .seal = writer->object.seal,
    };
    enum comb_status status =
        domain->use.store->driver->plan_blob(domain->use.store, ctx, plan, &blob, err);

    plan->kind = COMB_SQL_WRITE;
    writer->put.blob = blob.id;
    writer->put.size = blob.size;
    writer->put.sha256 = blob.sha256;
    if (status == COMB_OK)
        status =
            comb_tree_plan_put(domain->use.tree, ctx, plan, &writer->put, &writer->written, err);
    if (status == COMB_OK)
        status = comb_tree_outcome_pack(ctx, &writer->written.node, writer->written.created,
                                        &plan->outcome, err);
    return status;
}

static enum comb_status decide_file(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct comb_data_writer *writer = data;
    enum comb_status status = check_attempt(writer, ctx, err);

    return status == COMB_OK
               ? comb_tree_decide(writer->object.data->use.tree, plan_file, writer, ctx, plan, err)
               : status;
}

enum comb_status comb_data_end_file(struct comb_data_writer *writer, struct comb_ctx *ctx,
                                    struct comb_v1_node **ret_node, struct comb_error *err)
{
    struct comb_outcome outcome;
    enum comb_status status = store(writer, ctx, err);

    if (status == COMB_OK)
        status = name(writer, ctx, decide_file, &outcome, err);
    if (status == COMB_OK)
        status = comb_data_node_message(writer->object.data, ctx, &outcome, &writer->written,
                                        ret_node, err);
    return status;
}

/* ---- a part ---- */

static enum comb_status part_is_taken(struct comb_data_writer *writer, struct comb_ctx *ctx,
                                      const struct comb_data_part *there, struct comb_error *err)
{
    writer->is_repeated = there->offset == writer->offset &&
                          there->size == writer->object.hash.bytes &&
                          memcmp(there->sha256.ptr, writer->object.digest, COMB_SHA256_SIZE) == 0;
    if (writer->is_repeated)
        return COMB_OK;
    return comb_error_field(err, comb_data_field(ctx->arena, writer->field, "offset"),
                            "the bytes %llu to %llu are there already, with another content",
                            (unsigned long long)there->offset,
                            (unsigned long long)(there->offset + there->size - 1));
}

static enum comb_status plan_part(struct comb_data_writer *writer, struct comb_ctx *ctx,
                                  struct comb_plan *plan, struct comb_error *err)
{
    struct comb_data_store *store = writer->object.data->use.store;
    const struct comb_content_hash *whole =
        writer->offset > 0 ? &writer->whole : &writer->object.hash;
    char state[COMB_DATA_HASH_STATE_MAX];
    const struct comb_data_hashed hashed = comb_content_hash_save(whole, state);
    const struct comb_data_part part = {
        .offset = writer->offset,
        .size = writer->object.hash.bytes,
        .sha256 = comb_str_of(writer->object.digest, COMB_SHA256_SIZE),
        .session = writer->object.session,
        .object = writer->object.id,
        .seal = writer->object.seal,
    };

    plan->kind = COMB_SQL_WRITE;
    return store->driver->plan_part(store, ctx, plan, &writer->upload, &part,
                                    writer->goes_on ? &hashed : NULL, err);
}

static enum comb_status decide_part(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct comb_data_writer *writer = data;
    struct comb_data_store *store = writer->object.data->use.store;
    char id[COMB_UUID_TEXT_LENGTH + 1];
    const struct comb_data_part *there;
    size_t n_there;
    enum comb_status status = check_attempt(writer, ctx, err);

    comb_uuid_format(&writer->upload.id, id);
    if (status == COMB_OK)
        status = comb_data_find_upload(writer->object.data, ctx, id,
                                       comb_data_field(ctx->arena, writer->field, "upload_id"),
                                       &writer->upload, err);
    if (status == COMB_OK)
        status = store->driver->get_parts(store, ctx, &writer->upload.id, writer->offset, 1, &there,
                                          &n_there, err);
    if (status != COMB_OK)
        return status;
    if (n_there == 1 && there->offset < writer->offset + writer->object.hash.bytes)
        return part_is_taken(writer, ctx, there, err);
    if (writer->upload.n_parts >= COMB_DATA_PARTS_MAX)
        return comb_error_set_subject(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                                      "parts_max", "an upload has at most %d parts",
                                      COMB_DATA_PARTS_MAX);
    return plan_part(writer, ctx, plan, err);
}

enum comb_status comb_data_end_part(struct comb_data_writer *writer, struct comb_ctx *ctx,
                                    struct comb_v1_upload **ret_upload, struct comb_error *err)
{
    struct comb_outcome outcome;
    char id[COMB_UUID_TEXT_LENGTH + 1];
    enum comb_status status;

    if (writer->object.hash.bytes == 0)
        return comb_error_field(err, "content", "a part has at least 1 byte");
    status = store(writer, ctx, err);
    if (status == COMB_OK)
        status = name(writer, ctx, decide_part, &outcome, err);
    comb_uuid_format(&writer->upload.id, id);
    if (status == COMB_OK)
        status = comb_data_get_upload(writer->object.data, ctx, id, ret_upload, err);
    return status;
}

void comb_data_writer_free(struct comb_data_writer *writer)
{
    if (!writer)
        return;
    comb_data_object_discard(&writer->object);
    comb_memory_free(writer);
}
