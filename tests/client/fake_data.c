/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/client/fake_data.h"

#include <openssl/evp.h>
#include <string.h>

enum { SHA256_BYTES = 32, CHUNK_BYTES = 256 << 10, PART_BYTES_MAX = 4 << 20 };
static const char UPLOAD_ID[] = "01890a5d-ac96-774b-bcce-b302099a8058";

static struct comb_v1_node *node_locked(struct fake *fake, struct grpcc_arena *arena)
{
    struct comb_v1_node *node = fake_node(fake, arena);
    unsigned char *sha256 = grpcc_arena_alloc(arena, SHA256_BYTES);
    assert_non_null(sha256);
    assert_true(EVP_Digest(fake->content, fake->size, sha256, NULL, EVP_sha256(), NULL));
    comb_v1_node_set_sha256(node, sha256, SHA256_BYTES);
    return node;
}

static void put(void *self, struct grpcc_call *call, const struct comb_v1_data_put_request *request)
{
    struct fake *fake = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    fake_note(fake, call, request->request_id);
    if (!fake_admit(fake, call))
        return;
    struct comb_v1_data_put_response *response = comb_v1_data_put_response_new(arena);
    pthread_mutex_lock(&fake->lock);
    memcpy(fake->content, request->content.data, request->content.len);
    fake->size = request->content.len;
    fake->puts++;
    fake->etag++;
    response->node = node_locked(fake, arena);
    pthread_mutex_unlock(&fake->lock);
    comb_v1_data_put_finish(call, response);
}

/* ---- sessions: there is one ---- */

static struct comb_v1_upload *upload_locked(struct fake *fake, struct grpcc_arena *arena)
{
    struct comb_v1_upload *upload = comb_v1_upload_new(arena);
    struct comb_v1_byte_range *range = comb_v1_byte_range_new(arena);
    assert_true(upload && range);
    comb_v1_upload_set_id(upload, UPLOAD_ID);
    upload->part_bytes_max = PART_BYTES_MAX;
    range->length = fake->size;
    assert_true(comb_v1_upload_add_received(arena, upload, range));
    return upload;
}

static void start_upload(void *self, struct grpcc_call *call,
                         const struct comb_v1_data_start_upload_request *request)
{
    struct fake *fake = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    fake_note(fake, call, request->request_id);
    if (!fake_admit(fake, call))
        return;
    struct comb_v1_data_start_upload_response *response =
        comb_v1_data_start_upload_response_new(arena);
    pthread_mutex_lock(&fake->lock);
    fake->starts++;
    fake->size = 0;
    response->upload = upload_locked(fake, arena);
    pthread_mutex_unlock(&fake->lock);
    comb_v1_data_start_upload_finish(call, response);
}

static void write_part(void *self, struct grpcc_call *call)
{
    struct fake *fake = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_data_write_part_request *message = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (comb_v1_data_write_part_read(call, arena, &message, &err) || !message) {
        grpcc_call_fail(call, GRPCC_CANCELLED, "broken");
        return;
    }
    fake_note(fake, call, message->header->request_id);
    if (!fake_admit(fake, call))
        return;
    uint64_t offset = message->header->offset, at = offset;
    ProtobufCBinaryData sha256 = message->header->sha256;
    unsigned char *part = grpcc_arena_alloc(arena, PART_BYTES_MAX);
    assert_non_null(part);
    for (;;) {
        message = NULL;
        if (comb_v1_data_write_part_read(call, arena, &message, &err)) {
            grpcc_call_fail(call, GRPCC_CANCELLED, "broken");
            return;
        }
        if (!message)
            break;
        assert_true(at + message->chunk.len <= offset + PART_BYTES_MAX);
        memcpy(part + (at - offset), message->chunk.data, message->chunk.len);
        at += message->chunk.len;
    }
    unsigned char found[SHA256_BYTES];
    assert_true(EVP_Digest(part, at - offset, found, NULL, EVP_sha256(), NULL));
    assert_int_equal(sha256.len, SHA256_BYTES);
    assert_memory_equal(sha256.data, found, SHA256_BYTES);
    struct comb_v1_data_write_part_response *response = comb_v1_data_write_part_response_new(arena);
    pthread_mutex_lock(&fake->lock);
    assert_true(at <= FAKE_CONTENT_MAX);
    memcpy(fake->content + offset, part, at - offset);
    fake->parts++;
    fake->size = at > fake->size ? at : fake->size;
    response->upload = upload_locked(fake, arena);
    bool breaks = fake->break_parts > 0;
    fake->break_parts -= breaks ? 1 : 0;
    pthread_mutex_unlock(&fake->lock);
    if (breaks)
        grpcc_call_fail(call, GRPCC_UNAVAILABLE, "the answer is lost");
    else
        comb_v1_data_write_part_finish(call, response);
}

static void get_upload(void *self, struct grpcc_call *call,
                       const struct comb_v1_data_get_upload_request *request)
{
    struct fake *fake = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    (void)request;
    fake_note(fake, call, "");
    if (!fake_admit(fake, call))
        return;
    struct comb_v1_data_get_upload_response *response = comb_v1_data_get_upload_response_new(arena);
    pthread_mutex_lock(&fake->lock);
    response->upload = upload_locked(fake, arena);
    pthread_mutex_unlock(&fake->lock);
    comb_v1_data_get_upload_finish(call, response);
}

static void commit_upload(void *self, struct grpcc_call *call,
                          const struct comb_v1_data_commit_upload_request *request)
{
    struct fake *fake = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    fake_note(fake, call, request->request_id);
    if (!fake_admit(fake, call))
        return;
    struct comb_v1_data_commit_upload_response *response =
        comb_v1_data_commit_upload_response_new(arena);
    pthread_mutex_lock(&fake->lock);
    fake->commits++;
    fake->etag++;
    response->node = node_locked(fake, arena);
    pthread_mutex_unlock(&fake->lock);
    comb_v1_data_commit_upload_finish(call, response);
}

static void abort_upload(void *self, struct grpcc_call *call,
                         const struct comb_v1_data_abort_upload_request *request)
{
    struct fake *fake = self;
    fake_note(fake, call, request->request_id);
    if (!fake_admit(fake, call))
        return;
    pthread_mutex_lock(&fake->lock);
    fake->aborts++;
    pthread_mutex_unlock(&fake->lock);
    comb_v1_data_abort_upload_finish(
        call, comb_v1_data_abort_upload_response_new(grpcc_call_arena(call)));
}

/* ---- downloads ---- */

static bool send_header(struct fake *fake, struct grpcc_call *call, uint64_t offset,
                        uint64_t length)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_v1_data_download_response *first = comb_v1_data_download_response_new(arena);
    struct comb_v1_download_header *header = comb_v1_download_header_new(arena);
    header->node = node_locked(fake, arena);
    header->offset = offset;
    header->length = length;
    comb_v1_data_download_response_set_header(first, header);
    return comb_v1_data_download_send(call, first, &err) == GRPCC_OK;
}

static void download(void *self, struct grpcc_call *call,
                     const struct comb_v1_data_download_request *request)
{
    struct fake *fake = self;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_v1_data_download_response *message =
        comb_v1_data_download_response_new(grpcc_call_arena(call));
    fake_note(fake, call, "");
    if (!fake_admit(fake, call))
        return;
    pthread_mutex_lock(&fake->lock);
    size_t at = request->offset, end = fake->size, stop = fake->break_after;
    if (request->has_length && request->length < end - at)
        end = at + request->length;
    fake->break_after = 0;
    bool sent = send_header(fake, call, at, end - at);
    pthread_mutex_unlock(&fake->lock);
    while (sent && at < end && !(stop && at >= stop)) {
        size_t n = end - at < CHUNK_BYTES ? end - at : CHUNK_BYTES;
        pthread_mutex_lock(&fake->lock);
        unsigned char *chunk = grpcc_arena_memdup(grpcc_call_arena(call), fake->content + at, n);
        assert_non_null(chunk);
        if (fake->corrupt && at == 0)
            chunk[0] ^= 1;
        pthread_mutex_unlock(&fake->lock);
        comb_v1_data_download_response_set_chunk(message, chunk, n);
        sent = comb_v1_data_download_send(call, message, &err) == GRPCC_OK;
        at += n;
    }
    if (at < end)
        grpcc_call_fail(call, GRPCC_UNAVAILABLE, "broken off");
    else
        grpcc_call_finish_ok(call);
}

const struct comb_v1_data_server fake_data = {.put = put,
                                              .start_upload = start_upload,
                                              .write_part = write_part,
                                              .get_upload = get_upload,
                                              .commit_upload = commit_upload,
                                              .abort_upload = abort_upload,
                                              .download = download};
