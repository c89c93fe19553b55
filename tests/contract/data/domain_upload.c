/* SPDX-License-Identifier: Apache-2.0 */
/* Upload sessions: parts in any order, again, too many, too few; commit and abort. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/core/hash.h"
#include "tests/contract/data/domain.h"

static const char all[] = "0123456789abcdefghijklmnopqrst"; /* 30 bytes */

/* Opens an upload for "/w/NAME"; its id, which the test frees. */
static char *start(struct domain *d, const char *name, uint64_t size)
{
    struct comb_v1_data_start_upload_request *request;
    const struct comb_request_key key = domain_key();
    struct comb_v1_upload *upload = NULL;
    struct comb_ctx *ctx = domain_next(d);

    request = comb_v1_data_start_upload_request_new(ctx->arena);
    assert_non_null(request);
    request->target = domain_header(d, name)->target;
    request->has_size = size > 0;
    request->size = size;
    must_ok(comb_data_start_upload(d->data, ctx, request, &key, &upload, &d->call.err),
            &d->call.err);
    assert_int_equal(upload->n_received, 0);
    assert_int_equal(upload->part_bytes_max, COMB_DATA_PART_BYTES_MAX);
    assert_string_equal(upload->target->name, name);
    return strdup(upload->id);
}

static enum comb_status put_part_with(struct domain *d, const char *id, uint64_t offset,
                                      comb_str content, const struct comb_request_key *key,
                                      struct comb_v1_upload **ret_upload)
{
    struct comb_ctx *ctx = domain_next(d);
    struct comb_v1_part_header *header = comb_v1_part_header_new(ctx->arena);
    struct comb_data_writer *writer = NULL;
    enum comb_status status;

    assert_non_null(header);
    header->upload_id = grpcc_arena_strdup(ctx->arena, id);
    header->offset = offset;
    status = comb_data_begin_part(d->data, ctx, header, "", key, &writer, &d->call.err);
    if (status == COMB_OK && content.len > 0)
        status = comb_data_write(writer, ctx, content, &d->call.err);
    if (status == COMB_OK)
        status = comb_data_end_part(writer, ctx, ret_upload, &d->call.err);
    comb_data_writer_free(writer);
    return status;
}

/* Writes the bytes [offset, offset + size) of `all`. */
static enum comb_status put_part(struct domain *d, const char *id, uint64_t offset, size_t size,
                                 struct comb_v1_upload **ret_upload)
{
    const struct comb_request_key key = domain_key();

    return put_part_with(d, id, offset, comb_str_of(all + offset, size), &key, ret_upload);
}

static enum comb_status commit_with(struct domain *d, const char *id, comb_str sha256,
                                    const struct comb_request_key *key,
                                    struct comb_v1_node **ret_node)
{
    struct comb_ctx *ctx = domain_next(d);
    struct comb_v1_data_commit_upload_request *request =
        comb_v1_data_commit_upload_request_new(ctx->arena);

    assert_non_null(request);
    request->upload_id = grpcc_arena_strdup(ctx->arena, id);
    request->sha256.data = (uint8_t *)sha256.ptr;
    request->sha256.len = sha256.len;
    return comb_data_commit_upload(d->data, ctx, request, key, ret_node, &d->call.err);
}

static enum comb_status commit(struct domain *d, const char *id, struct comb_v1_node **ret_node)
{
    const struct comb_request_key key = domain_key();

    return commit_with(d, id, comb_str_of(NULL, 0), &key, ret_node);
}

static void must_be_all(const struct comb_v1_node *node)
{
    uint8_t digest[COMB_SHA256_SIZE];
    struct comb_error err;

    must_ok(comb_sha256(comb_str_of(all, 30), digest, &err), &err);
    assert_int_equal(node->size, 30);
    assert_int_equal(node->sha256.len, sizeof digest);
    assert_memory_equal(node->sha256.data, digest, sizeof digest);
}

static void parts_in_any_order_make_a_file(void **state)
{
    struct domain *d = *state;
    static const uint64_t orders[][3] = {{0, 10, 20}, {20, 10, 0}, {10, 0, 20}};

    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        char name[] = {'a', (char)('0' + i), '\0'};
        char *id = start(d, name, i == 1 ? 30 : 0);
        struct comb_v1_upload *upload = NULL;
        struct comb_v1_node *node = NULL;

        for (size_t j = 0; j < 3; j++)
            must_ok(put_part(d, id, orders[i][j], 10, &upload), &d->call.err);
        assert_int_equal(upload->n_received, 1);
        assert_int_equal(upload->received[0]->offset, 0);
        assert_int_equal(upload->received[0]->length, 30);
        assert_int_equal(upload->received_bytes, 30);
        domain_must_lack(d, name);
        must_ok(commit(d, id, &node), &d->call.err);
        must_be_all(node);
        domain_must_hold(d, name, comb_str_of(all, 30));
        free(id);
    }
    assert_int_equal(domain_objects(d), 9);
}

static void download_crosses_parts(void **state)
{
    struct domain *d = *state;
    char *id = start(d, "a", 30);
    struct comb_v1_upload *upload;
    struct comb_v1_node *node;

    /* More parts than are read ahead are not needed to cross them: ten of three bytes. */
    for (uint64_t offset = 0; offset < 30; offset += 3)
        must_ok(put_part(d, id, offset, 3, &upload), &d->call.err);
    must_ok(commit(d, id, &node), &d->call.err);
    for (uint64_t offset = 0; offset < 30; offset++) {
        for (uint64_t length = 1; length <= 30 - offset; length += 4) {
            struct comb_v1_data_download_request *request;
            comb_str content = {NULL, 0};

            domain_next(d);
            request = domain_request(d, "a");
            request->offset = offset;
            request->has_length = true;
            request->length = length;
            must_ok(domain_get(d, request, &content), &d->call.err);
            assert_true(comb_str_equal(content, comb_str_of(all + offset, length)));
        }
    }
    free(id);
}

static enum comb_status presign(struct domain *d, struct comb_ctx *ctx, const char *name,
                                uint32_t ttl_s, struct comb_v1_data_presign_response **ret_response,
                                struct comb_error *err)
{
    struct comb_v1_data_presign_request *request = comb_v1_data_presign_request_new(ctx->arena);

    *ret_response = comb_v1_data_presign_response_new(ctx->arena);
    assert_non_null(request);
    assert_non_null(*ret_response);
    request->node = comb_v1_node_ref_new(ctx->arena);
    assert_non_null(request->node);
    request->node->path = grpcc_arena_printf(ctx->arena, "/w/%s", name);
    request->ttl_seconds = ttl_s;
    return comb_data_presign(d->data, ctx, request, *ret_response, err);
}

/* That the URLs work is the drivers' suite's; here, who gets them, and that they are all. */
static void urls_are_for_readers_and_cover_the_content(void **state)
{
    struct domain *d = *state;
    bool has_urls = d->blobs->driver->caps & COMB_BLOB_CAP_PRESIGN;
    struct comb_v1_data_presign_response *response;
    struct comb_v1_upload *upload;
    struct comb_v1_node *node;
    char *id = start(d, "parts", 30);

    must_ok(put_part(d, id, 0, 10, &upload), &d->call.err);
    must_ok(put_part(d, id, 10, 20, &upload), &d->call.err);
    must_ok(commit(d, id, &node), &d->call.err);
    domain_put(d, "whole", STR("one"));
    domain_next(d);
    must_fail(
        COMB_INVALID_ARGUMENT,
        presign(d, &d->call.ctx, "whole", COMB_BLOB_PRESIGN_S_MAX + 1, &response, &d->call.err),
        &d->call.err);
    must_fail(COMB_NOT_FOUND, presign(d, &d->stranger.ctx, "whole", 1, &response, &d->stranger.err),
              &d->stranger.err);
    if (has_urls) {
        must_ok(presign(d, &d->call.ctx, "whole", 0, &response, &d->call.err), &d->call.err);
        assert_int_equal(response->n_parts, 1);
        assert_int_equal(response->parts[0]->length, 3);
        must_ok(presign(d, &d->call.ctx, "parts", 10, &response, &d->call.err), &d->call.err);
        assert_int_equal(response->n_parts, 2);
        assert_int_equal(response->parts[1]->offset, 10);
        assert_int_equal(response->parts[1]->length, 20);
        assert_string_equal(response->node->name, "parts");
    } else {
        must_fail(COMB_UNIMPLEMENTED, presign(d, &d->call.ctx, "whole", 0, &response, &d->call.err),
                  &d->call.err);
    }
    free(id);
}

static void many_parts_are_read_through(void **state)
{
    struct domain *d = *state;
    static char content[100];
    char *id = start(d, "a", sizeof content);
    struct comb_v1_upload *upload;
    struct comb_v1_node *node;

    for (size_t i = 0; i < sizeof content; i++) {
        const struct comb_request_key key = domain_key();

        content[i] = (char)(i * 3);
        must_ok(put_part_with(d, id, i, comb_str_of(content + i, 1), &key, &upload), &d->call.err);
    }
    must_ok(commit(d, id, &node), &d->call.err);
    domain_must_hold(d, "a", comb_str_of(content, sizeof content));
    free(id);
}

static void ranges_say_where_to_go_on(void **state)
{
    struct domain *d = *state;
    char *id = start(d, "a", 30);
    struct comb_v1_upload *upload = NULL;

    must_ok(put_part(d, id, 5, 5, &upload), &d->call.err);
    must_ok(put_part(d, id, 20, 5, &upload), &d->call.err);
    must_ok(put_part(d, id, 10, 2, &upload), &d->call.err);
    must_ok(comb_data_get_upload(d->data, domain_next(d), id, &upload, &d->call.err), &d->call.err);
    assert_int_equal(upload->n_received, 2);
    assert_int_equal(upload->received[0]->offset, 5);
    assert_int_equal(upload->received[0]->length, 7);
    assert_int_equal(upload->received[1]->offset, 20);
    assert_int_equal(upload->received[1]->length, 5);
    assert_int_equal(upload->received_bytes, 12);
    assert_true(upload->has_size && upload->size == 30);
    free(id);
}

static void part_that_was_cut_off_leaves_nothing(void **state)
{
    struct domain *d = *state;
    const struct comb_request_key key = domain_key();
    char *id = start(d, "a", 30);
    struct comb_v1_part_header *header;
    struct comb_data_writer *writer = NULL;
    struct comb_v1_upload *upload = NULL;
    struct comb_v1_node *node;
    struct comb_ctx *ctx;

    must_ok(put_part(d, id, 0, 10, &upload), &d->call.err);
    ctx = domain_next(d);
    header = comb_v1_part_header_new(ctx->arena);
    header->upload_id = id;
    header->offset = 10;
    must_ok(comb_data_begin_part(d->data, ctx, header, "", &key, &writer, &d->call.err),
            &d->call.err);
    must_ok(comb_data_write(writer, ctx, STR("abc"), &d->call.err), &d->call.err);
    comb_data_writer_free(writer);
    assert_int_equal(domain_objects(d), 1);
    must_ok(comb_data_get_upload(d->data, domain_next(d), id, &upload, &d->call.err), &d->call.err);
    assert_int_equal(upload->received_bytes, 10);
    must_ok(put_part(d, id, 10, 20, &upload), &d->call.err);
    must_ok(commit(d, id, &node), &d->call.err);
    must_be_all(node);
    free(id);
}

static void overlap_is_refused_repetition_is_not(void **state)
{
    struct domain *d = *state;
    const struct comb_request_key key = domain_key();
    char *id = start(d, "a", 30);
    struct comb_v1_upload *upload = NULL;
    static const struct {
        uint64_t offset;
        size_t size;
    } overlaps[] = {{10, 9}, {10, 11}, {9, 2}, {19, 2}, {5, 20}, {15, 1}, {25, 6}, {29, 2}};

    must_ok(put_part(d, id, 10, 10, &upload), &d->call.err);
    for (size_t i = 0; i < sizeof overlaps / sizeof overlaps[0]; i++) {
        must_fail(COMB_INVALID_ARGUMENT,
                  put_part(d, id, overlaps[i].offset, overlaps[i].size, &upload), &d->call.err);
        assert_string_equal(d->call.err.subject, "offset");
    }
    must_fail(COMB_INVALID_ARGUMENT, put_part_with(d, id, 10, STR("ABCDEFGHIJ"), &key, &upload),
              &d->call.err);
    must_fail(COMB_INVALID_ARGUMENT, put_part(d, id, 30, 1, &upload), &d->call.err);
    must_fail(COMB_INVALID_ARGUMENT, put_part(d, id, 0, 0, &upload), &d->call.err);
    /* The same part again, by a new request. */
    must_ok(put_part(d, id, 10, 10, &upload), &d->call.err);
    assert_int_equal(upload->received_bytes, 10);
    assert_int_equal(domain_objects(d), 1);
    free(id);
}

static void repeated_part_counts_once(void **state)
{
    struct domain *d = *state;
    const struct comb_request_key key = domain_key();
    char *id = start(d, "a", 30);
    struct comb_v1_upload *upload = NULL;

    for (int i = 0; i < 2; i++) {
        must_ok(put_part_with(d, id, 0, comb_str_of(all, 10), &key, &upload), &d->call.err);
        assert_int_equal(upload->received_bytes, 10);
        assert_int_equal(domain_objects(d), 1);
    }
    must_fail(COMB_INVALID_ARGUMENT,
              put_part_with(d, id, 10, comb_str_of(all + 10, 20), &key, &upload), &d->call.err);
    assert_int_equal(d->call.err.reason, COMB_V1_ERROR_REASON_REQUEST_ID_REUSED);
    free(id);
}

static void incomplete_upload_says_what_is_missing(void **state)
{
    struct domain *d = *state;
    char *sized = start(d, "a", 30), *open_ended = start(d, "b", 0);
    struct comb_v1_upload *upload;
    struct comb_v1_node *node;
    static const struct {
        uint64_t offset;
        const char *missing;
    } steps[] = {{10, "0-9"}, {0, "20-29"}};

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        must_ok(put_part(d, sized, steps[i].offset, 10, &upload), &d->call.err);
        must_fail(COMB_FAILED_PRECONDITION, commit(d, sized, &node), &d->call.err);
        assert_int_equal(d->call.err.reason, COMB_V1_ERROR_REASON_UPLOAD_INCOMPLETE);
        assert_string_equal(d->call.err.subject, steps[i].missing);
    }
    must_ok(put_part(d, open_ended, 0, 5, &upload), &d->call.err);
    must_ok(put_part(d, open_ended, 8, 5, &upload), &d->call.err);
    must_ok(put_part(d, open_ended, 20, 5, &upload), &d->call.err);
    must_fail(COMB_FAILED_PRECONDITION, commit(d, open_ended, &node), &d->call.err);
    assert_string_equal(d->call.err.subject, "5-7");
    domain_must_lack(d, "a");
    free(sized);
    free(open_ended);
}

static void upload_without_parts_is_an_empty_file(void **state)
{
    struct domain *d = *state;
    char *id = start(d, "a", 0);
    struct comb_v1_node *node = NULL;

    must_ok(commit(d, id, &node), &d->call.err);
    assert_int_equal(node->size, 0);
    domain_must_hold(d, "a", STR(""));
    free(id);
}

static void checksum_is_that_of_the_whole(void **state)
{
    struct domain *d = *state;
    struct comb_request_key key = domain_key();
    static const char zeros[COMB_SHA256_SIZE];
    uint8_t digest[COMB_SHA256_SIZE];
    char *id = start(d, "a", 30);
    struct comb_v1_upload *upload;
    struct comb_v1_node *node = NULL;

    must_ok(put_part(d, id, 0, 30, &upload), &d->call.err);
    must_fail(COMB_DATA_LOSS, commit_with(d, id, comb_str_of(zeros, sizeof zeros), &key, &node),
              &d->call.err);
    assert_int_equal(d->call.err.reason, COMB_V1_ERROR_REASON_CHECKSUM_MISMATCH);
    must_ok(comb_sha256(comb_str_of(all, 30), digest, &d->call.err), &d->call.err);
    key = domain_key();
    must_ok(commit_with(d, id, comb_str_of(digest, sizeof digest), &key, &node), &d->call.err);
    must_be_all(node);
    free(id);
}

static void repeated_commit_gives_the_first_outcome(void **state)
{
    struct domain *d = *state;
    const struct comb_request_key key = domain_key();
    char *id = start(d, "a", 30);
    struct comb_v1_upload *upload;
    struct comb_v1_node *node = NULL;
    char node_id[64] = "";

    must_ok(put_part(d, id, 0, 30, &upload), &d->call.err);
    for (int i = 0; i < 2; i++) {
        must_ok(commit_with(d, id, comb_str_of(NULL, 0), &key, &node), &d->call.err);
        must_be_all(node);
        if (i == 0)
            snprintf(node_id, sizeof node_id, "%s", node->id);
        assert_string_equal(node->id, node_id);
        assert_int_equal(node->revision, 1);
    }
    must_fail(COMB_NOT_FOUND, commit(d, id, &node), &d->call.err);
    assert_int_equal(d->call.err.reason, COMB_V1_ERROR_REASON_UPLOAD_NOT_FOUND);
    must_fail(COMB_NOT_FOUND, put_part(d, id, 0, 30, &upload), &d->call.err);
    free(id);
}

static void repeated_start_opens_one_upload(void **state)
{
    struct domain *d = *state;
    const struct comb_request_key key = domain_key();
    char first[64] = "";

    for (int i = 0; i < 2; i++) {
        struct comb_ctx *ctx = domain_next(d);
        struct comb_v1_data_start_upload_request *request =
            comb_v1_data_start_upload_request_new(ctx->arena);
        struct comb_v1_upload *upload = NULL;

        request->target = domain_header(d, "a")->target;
        must_ok(comb_data_start_upload(d->data, ctx, request, &key, &upload, &d->call.err),
                &d->call.err);
        if (i == 0)
            snprintf(first, sizeof first, "%s", upload->id);
        assert_string_equal(upload->id, first);
    }
}

static void aborted_upload_leaves_nothing(void **state)
{
    struct domain *d = *state;
    const struct comb_request_key key = domain_key(), other = domain_key();
    char *id = start(d, "a", 30);
    struct comb_v1_upload *upload;

    must_ok(put_part(d, id, 0, 10, &upload), &d->call.err);
    must_ok(put_part(d, id, 20, 10, &upload), &d->call.err);
    assert_int_equal(domain_objects(d), 2);
    for (int i = 0; i < 2; i++)
        must_ok(comb_data_abort_upload(d->data, domain_next(d), id, &key, &d->call.err),
                &d->call.err);
    assert_int_equal(domain_objects(d), 0);
    must_fail(COMB_NOT_FOUND,
              comb_data_abort_upload(d->data, domain_next(d), id, &other, &d->call.err),
              &d->call.err);
    must_fail(COMB_NOT_FOUND,
              comb_data_get_upload(d->data, domain_next(d), id, &upload, &d->call.err),
              &d->call.err);
    assert_int_equal(d->call.err.reason, COMB_V1_ERROR_REASON_UPLOAD_NOT_FOUND);
    free(id);
}

static void upload_belongs_to_its_user(void **state)
{
    struct domain *d = *state;
    const struct comb_request_key key = domain_key();
    char *id = start(d, "a", 30);
    struct comb_v1_upload *upload = NULL;

    must_fail(COMB_NOT_FOUND,
              comb_data_get_upload(d->data, &d->stranger.ctx, id, &upload, &d->stranger.err),
              &d->stranger.err);
    must_fail(COMB_NOT_FOUND,
              comb_data_abort_upload(d->data, &d->stranger.ctx, id, &key, &d->stranger.err),
              &d->stranger.err);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_data_get_upload(d->data, domain_next(d), "no-id", &upload, &d->call.err),
              &d->call.err);
    assert_null(upload);
    must_ok(comb_data_get_upload(d->data, domain_next(d), id, &upload, &d->call.err), &d->call.err);
    free(id);
}

static void upload_expires_a_day_after_its_last_part(void **state)
{
    struct domain *d = *state;
    char *id = start(d, "a", 30);
    struct comb_v1_upload *upload = NULL;

    domain_advance_us(d, COMB_DATA_UPLOAD_KEEP_US / 2);
    must_ok(put_part(d, id, 0, 10, &upload), &d->call.err);
    domain_advance_us(d, COMB_DATA_UPLOAD_KEEP_US - 1000000);
    domain_sweep(d, d->data);
    must_ok(comb_data_get_upload(d->data, domain_next(d), id, &upload, &d->call.err), &d->call.err);
    assert_int_equal(domain_objects(d), 1);
    domain_advance_us(d, 2000000);
    must_fail(COMB_NOT_FOUND,
              comb_data_get_upload(d->data, domain_next(d), id, &upload, &d->call.err),
              &d->call.err);
    must_fail(COMB_NOT_FOUND, put_part(d, id, 10, 10, &upload), &d->call.err);
    domain_sweep(d, d->data);
    assert_int_equal(domain_objects(d), 0);
    free(id);
}

/* ---- how many a user may have open ---- */

enum { CLIENTS = 64, STARTS = 10 };

/* A client of one user. */
struct client {
    struct domain *d;
    pthread_t thread;
    struct test_ctx call;
    unsigned seed;
    bool aborts; /* some of what it opens */
    unsigned open, refused;
};

static enum comb_status try_start(struct comb_data *data, struct test_ctx *call,
                                  struct comb_v1_upload **ret_upload)
{
    const struct comb_request_key key = domain_key();
    struct comb_v1_data_start_upload_request *request;

    test_ctx_next(call);
    request = comb_v1_data_start_upload_request_new(call->ctx.arena);
    request->target = domain_header_in(call->ctx.arena, "a")->target;
    return comb_data_start_upload(data, &call->ctx, request, &key, ret_upload, &call->err);
}

static enum comb_status try_abort(struct comb_data *data, struct test_ctx *call, const char *id)
{
    const struct comb_request_key key = domain_key();

    return comb_data_abort_upload(data, &call->ctx, id, &key, &call->err);
}

static void *start_and_abort(void *argument)
{
    struct client *client = argument;

    for (int i = 0; i < STARTS; i++) {
        struct comb_v1_upload *upload = NULL;
        enum comb_status status;

        do
            status = try_start(client->d->data, &client->call, &upload);
        while (status == COMB_ABORTED);
        if (status != COMB_OK) {
            client->refused += client->call.err.reason == COMB_V1_ERROR_REASON_TOO_MANY_UPLOADS;
            continue;
        }
        client->open++;
        if (client->aborts && rand_r(&client->seed) % 2 == 0 &&
            try_abort(client->d->data, &client->call, upload->id) == COMB_OK)
            client->open--;
    }
    return NULL;
}

/* How many are open after all clients have tried, some of which give up what they opened. */
static unsigned crowd(struct domain *d, bool aborts)
{
    struct client *clients = calloc(CLIENTS, sizeof *clients);
    unsigned open = 0, refused = 0;

    assert_non_null(clients);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.d = d, .seed = i, .aborts = aborts};
        test_ctx_init(&clients[i].call);
        clients[i].call.principal = d->call.principal;
        assert_int_equal(pthread_create(&clients[i].thread, NULL, start_and_abort, &clients[i]), 0);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        open += clients[i].open;
        refused += clients[i].refused;
        test_ctx_done(&clients[i].call);
    }
    free(clients);
    if (!aborts)
        assert_int_equal(open + refused, CLIENTS * STARTS);
    return open;
}

/* Their ids, page by page, for the test to free; their number. */
static unsigned list_ids(struct domain *d, size_t page, char *ids[2 * DOMAIN_UPLOADS_MAX])
{
    struct comb_uuid after = {{0}};
    unsigned n = 0;

    do {
        struct comb_ctx *ctx = domain_next(d);
        struct comb_v1_data_list_uploads_response *response =
            comb_v1_data_list_uploads_response_new(ctx->arena);

        must_ok(comb_data_list_uploads(d->data, ctx, &after, page, response, &d->call.err),
                &d->call.err);
        assert_true(response->n_uploads <= page);
        for (size_t i = 0; i < response->n_uploads; i++) {
            assert_true(n < 2 * DOMAIN_UPLOADS_MAX);
            ids[n++] = strdup(response->uploads[i]->id);
        }
    } while (!comb_uuid_is_nil(&after));
    return n;
}

static void abort_all(struct domain *d, unsigned expected)
{
    char *ids[2 * DOMAIN_UPLOADS_MAX];
    unsigned n = list_ids(d, 7, ids);

    assert_int_equal(n, expected);
    for (unsigned i = 0; i < n; i++) {
        domain_next(d);
        must_ok(try_abort(d->data, &d->call, ids[i]), &d->call.err);
        free(ids[i]);
    }
}

static void user_has_so_many_uploads_open_and_never_one_more(void **state)
{
    struct domain *d = *state;
    struct comb_v1_upload *upload = NULL;

    assert_int_equal(crowd(d, false), DOMAIN_UPLOADS_MAX);
    must_fail(COMB_RESOURCE_EXHAUSTED, try_start(d->data, &d->call, &upload), &d->call.err);
    assert_int_equal(d->call.err.reason, COMB_V1_ERROR_REASON_TOO_MANY_UPLOADS);

    /* What expires gives its place back, and nothing is left taken by what was aborted. */
    domain_advance_us(d, COMB_DATA_UPLOAD_KEEP_US + 1000000);
    abort_all(d, crowd(d, true));
    for (unsigned i = 0; i < DOMAIN_UPLOADS_MAX; i++)
        must_ok(try_start(d->data, &d->call, &upload), &d->call.err);
    must_fail(COMB_RESOURCE_EXHAUSTED, try_start(d->data, &d->call, &upload), &d->call.err);
}

static void list_has_what_is_open_and_the_callers_own(void **state)
{
    struct domain *d = *state;
    char *ids[] = {start(d, "a", 30), start(d, "b", 0), start(d, "c", 0)};
    struct comb_v1_data_list_uploads_response *response;
    struct comb_v1_upload *upload = NULL;
    struct comb_v1_node *node = NULL;
    struct comb_uuid after = {{0}};
    struct comb_ctx *ctx;

    must_ok(put_part(d, ids[0], 10, 10, &upload), &d->call.err);
    must_ok(commit(d, ids[1], &node), &d->call.err);
    ctx = domain_next(d);
    response = comb_v1_data_list_uploads_response_new(ctx->arena);
    must_ok(comb_data_list_uploads(d->data, ctx, &after, 100, response, &d->call.err),
            &d->call.err);
    assert_true(comb_uuid_is_nil(&after));
    assert_int_equal(response->n_uploads, 2);
    assert_string_equal(response->uploads[0]->id, ids[0]);
    assert_int_equal(response->uploads[0]->received_bytes, 10);
    assert_int_equal(response->uploads[0]->size, 30);
    assert_string_equal(response->uploads[0]->target->name, "a");
    assert_string_equal(response->uploads[1]->id, ids[2]);
    response = comb_v1_data_list_uploads_response_new(d->stranger.ctx.arena);
    must_ok(
        comb_data_list_uploads(d->data, &d->stranger.ctx, &after, 100, response, &d->stranger.err),
        &d->stranger.err);
    assert_int_equal(response->n_uploads, 0);
    for (size_t i = 0; i < 3; i++)
        free(ids[i]);
}

int suite_domain_upload(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parts_in_any_order_make_a_file, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(download_crosses_parts, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(urls_are_for_readers_and_cover_the_content, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(many_parts_are_read_through, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(ranges_say_where_to_go_on, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(part_that_was_cut_off_leaves_nothing, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(overlap_is_refused_repetition_is_not, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(repeated_part_counts_once, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(incomplete_upload_says_what_is_missing, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(upload_without_parts_is_an_empty_file, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(checksum_is_that_of_the_whole, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(repeated_commit_gives_the_first_outcome, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(repeated_start_opens_one_upload, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(aborted_upload_leaves_nothing, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(upload_belongs_to_its_user, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(upload_expires_a_day_after_its_last_part, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(user_has_so_many_uploads_open_and_never_one_more,
                                        domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(list_has_what_is_open_and_the_callers_own, domain_setup,
                                        domain_teardown),
    };

    return cmocka_run_group_tests_name("uploads", tests, NULL, NULL);
}
