/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upload sessions. Content is cut into parts that are held in memory while they are sent, each with
 * its SHA-256: a part that broke off is sent again as it was, even where its source has changed
 * meanwhile, and one that did arrive is not sent twice.
 */
#include <openssl/evp.h>
#include <string.h>

#include "client/lib/transfer.h"

enum { PART_BYTES = 8 << 20, WORKERS_MAX = 4, PART_ARENA_MAX = 4 << 20 };

struct upload {
    struct comb_client *client;
    const struct comb_source *source;
    struct comb_meter *meter;
    const char *path;
    const char *id;
    size_t part_bytes;

    pthread_mutex_t lock;      /* all below; held while the source is read */
    struct grpcc_arena *arena; /* of the caller, who waits */
    uint64_t next;             /* offset of the next part */
    bool ended;                /* the source has */
    enum grpcc_status status;
    struct grpcc_error err; /* of the first failure; its details in arena */
};

struct part {
    uint64_t offset;
    unsigned char *data;
    size_t size;
    unsigned char sha256[COMB_SHA256_BYTES];
    char request_id[COMB_ID_LENGTH + 1];
};

/* ---- one part ---- */

static bool write_chunks(struct comb_v1_data_write_part_stream *stream, struct grpcc_arena *arena,
                         const struct part *part)
{
    struct comb_v1_data_write_part_request *message = comb_v1_data_write_part_request_new(arena);
    if (!message)
        return false;
    for (size_t at = 0; at < part->size; at += COMB_CHUNK_BYTES) {
        size_t left = part->size - at;
        comb_v1_data_write_part_request_set_chunk(
            message, part->data + at, left < COMB_CHUNK_BYTES ? left : COMB_CHUNK_BYTES);
        if (!comb_v1_data_write_part_stream_write(stream, message))
            return false;
    }
    return true;
}

static enum grpcc_status write_part(struct upload *upload, struct grpcc_arena *arena,
                                    const struct part *part, struct grpcc_error *err)
{
    struct comb_v1_data_write_part_response *response = NULL;
    struct comb_v1_part_header *header = comb_v1_part_header_new(arena);
    struct comb_v1_data_write_part_request *first = comb_v1_data_write_part_request_new(arena);
    if (!header || !first)
        return comb_error_memory(err);
    comb_v1_part_header_set_request_id(header, part->request_id);
    comb_v1_part_header_set_upload_id(header, upload->id);
    comb_v1_part_header_set_sha256(header, part->sha256, sizeof(part->sha256));
    header->offset = part->offset;
    comb_v1_data_write_part_request_set_header(first, header);
    struct comb_v1_data_write_part_stream *stream =
        comb_v1_data_write_part_stream_open(upload->client->channel, NULL, err);
    if (!stream)
        return err->status;
    /* A write that fails is no answer: _finish has it. */
    if (comb_v1_data_write_part_stream_write(stream, first))
        (void)write_chunks(stream, arena, part);
    enum grpcc_status status = comb_v1_data_write_part_stream_finish(stream, arena, &response, err);
    comb_v1_data_write_part_stream_free(stream);
    return status;
}

/* Whether the session has the part, after an answer that was lost. */
static bool has_arrived(struct upload *upload, struct grpcc_arena *arena, const struct part *part)
{
    struct comb_v1_data_get_upload_response *response = NULL;
    struct comb_v1_data_get_upload_request *request = comb_v1_data_get_upload_request_new(arena);
    struct grpcc_error ignored = GRPCC_ERROR_INIT;
    if (!request)
        return false;
    comb_v1_data_get_upload_request_set_upload_id(request, upload->id);
    if (comb_v1_data_get_upload(upload->client->channel, arena, NULL, request, &response,
                                &ignored) ||
        !response->upload)
        return false;
    for (size_t i = 0; i < response->upload->n_received; i++) {
        const struct comb_v1_byte_range *range = response->upload->received[i];
        if (range->offset <= part->offset &&
            part->offset + part->size <= range->offset + range->length)
            return true;
    }
    return false;
}

static void note_failure_locked(struct upload *upload, enum grpcc_status status,
                                const struct grpcc_error *err)
{
    if (upload->status)
        return;
    upload->status = status;
    upload->err = *err;
    if (err->details)
        upload->err.details = grpcc_message_dup(upload->arena, (const void *)err->details);
}

static void note_failure(struct upload *upload, enum grpcc_status status,
                         const struct grpcc_error *err)
{
    pthread_mutex_lock(&upload->lock);
    note_failure_locked(upload, status, err);
    pthread_mutex_unlock(&upload->lock);
}

static enum grpcc_status send_part(struct upload *upload, const struct part *part,
                                   struct grpcc_error *err)
{
    struct comb_again again;
    struct grpcc_arena *arena = grpcc_arena_new(PART_ARENA_MAX);
    enum grpcc_status status = GRPCC_OK;
    if (!arena)
        return comb_error_memory(err);
    comb_again_init(&again, upload->client);
    for (;;) {
        grpcc_arena_reset(arena);
        status = write_part(upload, arena, part, err);
        if (!status || !comb_again_wait(&again, status, err))
            break;
        grpcc_arena_reset(arena);
        if (has_arrived(upload, arena, part)) {
            status = GRPCC_OK;
            break;
        }
    }
    if (status)
        note_failure(upload, status, err);
    err->details = NULL; /* the arena that they lie in ends here */
    grpcc_arena_free(arena);
    return status;
}

/* ---- all parts ---- */

/* False: there is none any more, or somebody failed. */
static bool take_part(struct upload *upload, struct part *part)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    bool taken = false;
    pthread_mutex_lock(&upload->lock);
    if (!upload->status && !upload->ended) {
        int64_t n =
            upload->source->read(upload->source->data, part->data, upload->part_bytes, &err);
        if (n < 0)
            note_failure_locked(upload, err.status, &err);
        upload->ended = n < (int64_t)upload->part_bytes;
        taken = n > 0;
        part->offset = upload->next;
        part->size = taken ? (size_t)n : 0;
        upload->next += part->size;
    }
    pthread_mutex_unlock(&upload->lock);
    return taken;
}

static void *work(void *data)
{
    struct upload *upload = data;
    struct part part = {.data = malloc(upload->part_bytes)};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    enum grpcc_status status = part.data ? GRPCC_OK : comb_error_memory(&err);
    while (!status && take_part(upload, &part)) {
        comb_id_new(part.request_id);
        if (!EVP_Digest(part.data, part.size, part.sha256, NULL, EVP_sha256(), NULL))
            status = comb_error_memory(&err);
        if (!status)
            status = send_part(upload, &part, &err);
        if (!status && !comb_meter_add(upload->meter, upload->path, part.size, 0))
            status = comb_meter_cancelled(&err);
    }
    if (status)
        note_failure(upload, status, &err);
    free(part.data);
    return NULL;
}

static unsigned workers_for(const struct upload *upload)
{
    const struct comb_source *source = upload->source;
    if (!source->any_thread || !source->has_size)
        return 1;
    uint64_t parts = (source->size + upload->part_bytes - 1) / upload->part_bytes;
    return parts < WORKERS_MAX ? (unsigned)parts : WORKERS_MAX;
}

static void send_parts(struct upload *upload)
{
    pthread_t threads[WORKERS_MAX];
    unsigned n = 0, wanted = workers_for(upload);
    while (n + 1 < wanted && comb_thread_start(&threads[n], work, upload))
        n++;
    work(upload);
    while (n > 0)
        pthread_join(threads[--n], NULL);
}

/* ---- the session ---- */

static enum grpcc_status start_session(struct upload *upload, struct grpcc_arena *arena,
                                       struct comb_v1_upload_target *target,
                                       struct grpcc_error *err)
{
    struct comb_v1_data_start_upload_response *response = NULL;
    struct comb_v1_data_start_upload_request *request =
        comb_v1_data_start_upload_request_new(arena);
    if (!request)
        return comb_error_memory(err);
    request->target = target;
    if (upload->source->has_size)
        comb_v1_data_start_upload_request_set_size(request, upload->source->size);
    enum grpcc_status status =
        comb_v1_data_start_upload(upload->client->channel, arena, NULL, request, &response, err);
    if (status)
        return status;
    if (!response->upload)
        return grpcc_error_set(err, GRPCC_INTERNAL, "the server opened no upload");
    upload->id = response->upload->id;
    uint64_t largest = response->upload->part_bytes_max;
    upload->part_bytes = largest && largest < PART_BYTES ? (size_t)largest : PART_BYTES;
    return GRPCC_OK;
}

static enum grpcc_status commit(struct upload *upload, struct grpcc_arena *arena,
                                struct comb_v1_node **ret_node, struct grpcc_error *err)
{
    struct comb_v1_data_commit_upload_response *response = NULL;
    struct comb_v1_data_commit_upload_request *request =
        comb_v1_data_commit_upload_request_new(arena);
    if (!request)
        return comb_error_memory(err);
    comb_v1_data_commit_upload_request_set_upload_id(request, upload->id);
    enum grpcc_status status =
        comb_v1_data_commit_upload(upload->client->channel, arena, NULL, request, &response, err);
    if (!status && ret_node)
        *ret_node = response->node;
    return status;
}

/* Best effort: a session that nobody commits ends by itself. */
static void abort_session(struct upload *upload)
{
    struct grpcc_error ignored = GRPCC_ERROR_INIT;
    struct comb_v1_data_abort_upload_response *response = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(PART_ARENA_MAX);
    struct comb_v1_data_abort_upload_request *request =
        arena ? comb_v1_data_abort_upload_request_new(arena) : NULL;
    if (request) {
        comb_v1_data_abort_upload_request_set_upload_id(request, upload->id);
        (void)!comb_v1_data_abort_upload(upload->client->channel, arena, NULL, request, &response,
                                         &ignored);
    }
    grpcc_arena_free(arena);
}

enum grpcc_status comb_upload(struct comb_client *client, struct grpcc_arena *arena,
                              struct comb_v1_upload_target *target,
                              const struct comb_source *source, struct comb_meter *meter,
                              const char *path, struct comb_v1_node **ret_node,
                              struct grpcc_error *err)
{
    struct upload upload = {.client = client,
                            .arena = arena,
                            .source = source,
                            .meter = meter,
                            .path = path,
                            .err = GRPCC_ERROR_INIT};
    enum grpcc_status status = start_session(&upload, arena, target, err);
    if (status)
        return status;
    pthread_mutex_init(&upload.lock, NULL);
    send_parts(&upload);
    pthread_mutex_destroy(&upload.lock);
    status = upload.status;
    if (!status && source->check)
        status = source->check(source->data, &upload.err);
    if (status) {
        abort_session(&upload);
        if (err)
            *err = upload.err;
        return status;
    }
    return commit(&upload, arena, ret_node, err);
}
