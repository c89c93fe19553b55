/* SPDX-License-Identifier: Apache-2.0 */
/* The service comb.v1.Data over a socket pair: framing of its streams, and every method once. */
#include <grpc/grpc.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "grpcc/channel.h"
#include "server/data/data_rpc.h"
#include "server/rpc/dispatch.h"
#include "tests/contract/data/domain.h"

struct rpc {
    struct domain *d;
    struct comb_data_rpc data;
    struct comb_dispatch *dispatch;
    struct grpcc_server *server;
    struct grpcc_channel *channel;
    struct grpcc_arena *arena;
    struct grpcc_error err;
};

/* The newest comb-token, sent with every call as an SDK does: reads see the writes before. */
static char token[256];

static bool peek(void *self, struct comb_ctx *ctx, comb_str bearer,
                 const struct comb_principal **ret_principal)
{
    struct rpc *r = self;

    (void)ctx;
    (void)bearer;
    *ret_principal = &r->d->call.principal;
    return true;
}

static enum comb_status authenticate(void *self, struct comb_ctx *ctx, comb_str bearer,
                                     const struct comb_principal **ret_principal,
                                     struct comb_error *err)
{
    (void)err;
    peek(self, ctx, bearer, ret_principal);
    return COMB_OK;
}

static int setup(void **state)
{
    static const struct grpcc_service *const services[] = {&comb_v1_data_service};
    struct rpc *r = calloc(1, sizeof *r);
    const struct comb_authenticator authenticator = {peek, authenticate, r};
    struct comb_sql_info info;
    int pair[2];

    assert_non_null(r);
    token[0] = '\0';
    domain_setup((void **)&r->d);
    comb_sql_get_info(r->d->sql, &info);
    r->arena = grpcc_arena_new(0);
    r->server = grpcc_server_new(NULL, &r->err);
    assert_non_null(r->server);
    must_ok(comb_dispatch_new(&authenticator, info.incarnation, &r->dispatch, &r->d->call.err),
            &r->d->call.err);
    r->data.data = r->d->data;
    must_ok(comb_data_rpc_register(r->server, &r->data, &r->d->call.err), &r->d->call.err);
    must_ok(comb_dispatch_attach(r->dispatch, r->server, services, 1, &r->d->call.err),
            &r->d->call.err);
    assert_int_equal(grpcc_server_start(r->server, &r->err), GRPCC_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(grpcc_server_add_fd(r->server, pair[0], &r->err), GRPCC_OK);
    r->channel = grpcc_channel_new_fd(pair[1], NULL, &r->err);
    assert_non_null(r->channel);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rpc *r = *state;
    struct domain *d = r->d;

    grpcc_channel_free(r->channel);
    grpcc_server_free(r->server);
    comb_dispatch_free(r->dispatch);
    grpcc_arena_free(r->arena);
    free(r);
    return domain_teardown((void **)&d);
}

static void keep_token(void *data, bool trailing, const char *key, const void *value, size_t length)
{
    (void)data;
    (void)trailing;
    if (strcmp(key, "comb-token") == 0 && length < sizeof token) {
        memcpy(token, value, length);
        token[length] = '\0';
    }
}

static struct grpcc_call_options *logged_in(void)
{
    static struct grpcc_metadata headers[2] = {{"authorization", "Bearer user", 11}};
    static struct grpcc_call_options options = {
        .size = sizeof options, .metadata = headers, .on_metadata = keep_token};

    headers[1] = (struct grpcc_metadata){"comb-token", token, strlen(token)};
    options.n_metadata = token[0] ? 2 : 1;
    return &options;
}

static char *new_request_id(struct rpc *r)
{
    const struct comb_uuid id = comb_uuid_new();

    return comb_uuid_text(r->arena, &id);
}

static void must_be(struct rpc *r, enum grpcc_status expected, enum grpcc_status status)
{
    if (status != expected)
        fail_msg("%s, not %s: %s", grpcc_status_name(status), grpcc_status_name(expected),
                 r->err.message);
}

/* ---- downloads ---- */

/* Reads all of a file by a new call; what the header says is left in *ret_header. */
static enum grpcc_status get(struct rpc *r, const char *path, const char *if_none_match,
                             struct comb_v1_download_header **ret_header, comb_str *ret_content)
{
    static char content[8 << 20];
    struct comb_v1_data_download_request *request = comb_v1_data_download_request_new(r->arena);
    struct comb_v1_data_download_response *message = NULL;
    struct comb_v1_data_download_stream *stream;
    size_t n = 0;
    int messages = 0;
    enum grpcc_status status;

    request->node = comb_v1_node_ref_new(r->arena);
    request->node->path = grpcc_arena_strdup(r->arena, path);
    if (if_none_match)
        request->if_none_match = grpcc_arena_strdup(r->arena, if_none_match);
    stream = comb_v1_data_download_stream_open(r->channel, logged_in(), request, &r->err);
    assert_non_null(stream);
    while (comb_v1_data_download_stream_read(stream, r->arena, &message, &r->err) == 1) {
        if (messages++ == 0) {
            assert_int_equal(message->part_case, COMB_V1_DATA_DOWNLOAD_RESPONSE_PART_HEADER);
            *ret_header = message->header;
            continue;
        }
        assert_int_equal(message->part_case, COMB_V1_DATA_DOWNLOAD_RESPONSE_PART_CHUNK);
        assert_true(message->chunk.len > 0 && message->chunk.len <= COMB_DATA_CHUNK_MAX);
        assert_true(n + message->chunk.len <= sizeof content);
        memcpy(content + n, message->chunk.data, message->chunk.len);
        n += message->chunk.len;
    }
    status = comb_v1_data_download_stream_finish(stream, r->arena, &r->err);
    comb_v1_data_download_stream_free(stream);
    *ret_content = comb_str_of(content, n);
    return status;
}

static void must_hold(struct rpc *r, const char *path, comb_str expected)
{
    struct comb_v1_download_header *header = NULL;
    comb_str content = {NULL, 0};

    must_be(r, GRPCC_OK, get(r, path, NULL, &header, &content));
    assert_int_equal(header->node->size, expected.len);
    assert_int_equal(header->length, expected.len);
    assert_true(comb_str_equal(content, expected));
}

/* ---- what comes in ---- */

static enum grpcc_status put(struct rpc *r, const char *name, comb_str content,
                             struct comb_v1_data_put_response **ret_response)
{
    struct comb_v1_data_put_request *request = comb_v1_data_put_request_new(r->arena);

    request->request_id = new_request_id(r);
    request->target = domain_header_in(r->arena, name)->target;
    request->content.data = (uint8_t *)content.ptr;
    request->content.len = content.len;
    return comb_v1_data_put(r->channel, r->arena, logged_in(), request, ret_response, &r->err);
}

/* A message of an upload: a header, or else a chunk. */
static struct comb_v1_data_upload_request *
upload_message(struct rpc *r, struct comb_v1_upload_header *header, comb_str chunk)
{
    struct comb_v1_data_upload_request *message = comb_v1_data_upload_request_new(r->arena);

    if (header)
        comb_v1_data_upload_request_set_header(message, header);
    else
        comb_v1_data_upload_request_set_chunk(message, chunk.ptr, chunk.len);
    return message;
}

/* Sends the messages; the stream may end before the last one. */
static enum grpcc_status upload(struct rpc *r, struct comb_v1_data_upload_request **messages,
                                size_t n, struct comb_v1_data_upload_response **ret_response)
{
    struct comb_v1_data_upload_stream *stream =
        comb_v1_data_upload_stream_open(r->channel, logged_in(), &r->err);
    enum grpcc_status status;

    assert_non_null(stream);
    for (size_t i = 0; i < n && comb_v1_data_upload_stream_write(stream, messages[i]); i++)
        ;
    (void)comb_v1_data_upload_stream_close_send(stream);
    status = comb_v1_data_upload_stream_finish(stream, r->arena, ret_response, &r->err);
    comb_v1_data_upload_stream_free(stream);
    return status;
}

static void small_file_goes_in_and_out(void **state)
{
    struct rpc *r = *state;
    struct comb_v1_data_put_response *response = NULL;
    struct comb_v1_download_header *header = NULL;
    comb_str content;

    must_be(r, GRPCC_OK, put(r, "a.txt", STR("hello"), &response));
    assert_string_equal(response->node->media_type, "text/plain");
    must_hold(r, "/w/a.txt", STR("hello"));
    must_be(r, GRPCC_OK, get(r, "/w/a.txt", response->node->etag, &header, &content));
    assert_true(header->not_modified);
    assert_int_equal(content.len, 0);
    must_be(r, GRPCC_NOT_FOUND, get(r, "/w/b.txt", NULL, &header, &content));
    must_be(r, GRPCC_INVALID_ARGUMENT, put(r, "no/name", STR("hello"), &response));
}

static void large_file_goes_in_and_out(void **state)
{
    struct rpc *r = *state;
    struct comb_v1_data_upload_request *messages[5];
    struct comb_v1_data_upload_response *response = NULL;
    struct comb_v1_upload_header *header = domain_header_in(r->arena, "large");
    const size_t size = (3u << 20) + 777;
    char *content = malloc(size);

    assert_non_null(content);
    for (size_t i = 0; i < size; i++)
        content[i] = (char)(i * 2654435761u >> 11);
    header->request_id = new_request_id(r);
    header->has_size = true;
    header->size = size;
    messages[0] = upload_message(r, header, comb_str_of(NULL, 0));
    for (size_t i = 0; i < 4; i++) {
        size_t offset = i << 20;

        messages[1 + i] = upload_message(
            r, NULL, comb_str_of(content + offset, i < 3 ? 1u << 20 : size - offset));
    }
    must_be(r, GRPCC_OK, upload(r, messages, 5, &response));
    assert_int_equal(response->node->size, size);
    must_hold(r, "/w/large", comb_str_of(content, size));
    free(content);
}

static void broken_streams_leave_nothing(void **state)
{
    struct rpc *r = *state;
    static char much[COMB_DATA_CHUNK_MAX + 1];
    struct comb_v1_data_upload_response *response = NULL;
    struct comb_v1_upload_header *header = domain_header_in(r->arena, "a");
    struct comb_v1_upload_header *nameless = domain_header_in(r->arena, "a");

    header->request_id = new_request_id(r);
    struct comb_v1_data_upload_request *begin = upload_message(r, header, STR(""));
    struct comb_v1_data_upload_request *chunk = upload_message(r, NULL, STR("abc"));
    struct comb_v1_data_upload_request *empty = upload_message(r, NULL, STR(""));
    struct comb_v1_data_upload_request *big =
        upload_message(r, NULL, comb_str_of(much, sizeof much));
    struct comb_v1_data_upload_request *nothing = comb_v1_data_upload_request_new(r->arena);
    struct comb_v1_data_upload_request *no_id = upload_message(r, nameless, STR(""));
    const struct {
        struct comb_v1_data_upload_request *messages[3];
        size_t n;
        enum grpcc_status status;
    } cases[] = {
        {{NULL}, 0, GRPCC_INVALID_ARGUMENT},
        {{chunk, begin}, 2, GRPCC_INVALID_ARGUMENT},
        {{nothing}, 1, GRPCC_INVALID_ARGUMENT},
        {{begin, chunk, begin}, 3, GRPCC_INVALID_ARGUMENT},
        {{begin, chunk, empty}, 3, GRPCC_INVALID_ARGUMENT},
        {{begin, nothing, chunk}, 3, GRPCC_INVALID_ARGUMENT},
        {{begin, big, chunk}, 3, GRPCC_RESOURCE_EXHAUSTED},
        {{no_id, chunk}, 2, GRPCC_INVALID_ARGUMENT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct comb_v1_data_upload_request *messages[3];

        memcpy(messages, cases[i].messages, sizeof messages);
        must_be(r, cases[i].status, upload(r, messages, cases[i].n, &response));
    }
    assert_null(response);
    grpcc_server_drain(r->server, 0, 10000);
    assert_int_equal(domain_objects(r->d), 0);
}

static void cancelled_upload_leaves_nothing(void **state)
{
    struct rpc *r = *state;
    struct comb_v1_upload_header *header = domain_header_in(r->arena, "a");
    struct comb_v1_data_upload_stream *stream =
        comb_v1_data_upload_stream_open(r->channel, logged_in(), &r->err);

    assert_non_null(stream);
    header->request_id = new_request_id(r);
    assert_true(
        comb_v1_data_upload_stream_write(stream, upload_message(r, header, comb_str_of(NULL, 0))));
    assert_true(comb_v1_data_upload_stream_write(stream, upload_message(r, NULL, STR("abc"))));
    comb_v1_data_upload_stream_cancel(stream);
    comb_v1_data_upload_stream_free(stream);
    grpcc_server_drain(r->server, 0, 10000);
    assert_int_equal(domain_objects(r->d), 0);
    domain_must_lack(r->d, "a");
}

/* ---- upload sessions ---- */

static char *start(struct rpc *r, const char *name)
{
    struct comb_v1_data_start_upload_request *request =
        comb_v1_data_start_upload_request_new(r->arena);
    struct comb_v1_data_start_upload_response *response = NULL;

    request->request_id = new_request_id(r);
    request->target = domain_header_in(r->arena, name)->target;
    must_be(
        r, GRPCC_OK,
        comb_v1_data_start_upload(r->channel, r->arena, logged_in(), request, &response, &r->err));
    return response->upload->id;
}

static enum grpcc_status put_part(struct rpc *r, char *upload_id, uint64_t offset, comb_str content)
{
    struct comb_v1_data_put_part_request *request = comb_v1_data_put_part_request_new(r->arena);
    struct comb_v1_data_put_part_response *response = NULL;

    request->request_id = new_request_id(r);
    request->upload_id = upload_id;
    request->offset = offset;
    request->content.data = (uint8_t *)content.ptr;
    request->content.len = content.len;
    return comb_v1_data_put_part(r->channel, r->arena, logged_in(), request, &response, &r->err);
}

static enum grpcc_status write_part(struct rpc *r, char *upload_id, uint64_t offset,
                                    comb_str content,
                                    struct comb_v1_data_write_part_response **ret_response)
{
    struct comb_v1_data_write_part_stream *stream =
        comb_v1_data_write_part_stream_open(r->channel, logged_in(), &r->err);
    struct comb_v1_data_write_part_request *first = comb_v1_data_write_part_request_new(r->arena);
    struct comb_v1_data_write_part_request *second = comb_v1_data_write_part_request_new(r->arena);
    struct comb_v1_part_header *header = comb_v1_part_header_new(r->arena);
    enum grpcc_status status;

    assert_non_null(stream);
    header->request_id = new_request_id(r);
    header->upload_id = upload_id;
    header->offset = offset;
    comb_v1_data_write_part_request_set_header(first, header);
    comb_v1_data_write_part_request_set_chunk(second, content.ptr, content.len);
    if (comb_v1_data_write_part_stream_write(stream, first))
        (void)!comb_v1_data_write_part_stream_write(stream, second);
    (void)comb_v1_data_write_part_stream_close_send(stream);
    status = comb_v1_data_write_part_stream_finish(stream, r->arena, ret_response, &r->err);
    comb_v1_data_write_part_stream_free(stream);
    return status;
}

static void parts_become_a_file(void **state)
{
    struct rpc *r = *state;
    struct comb_v1_data_write_part_response *part = NULL;
    struct comb_v1_data_get_upload_request *look = comb_v1_data_get_upload_request_new(r->arena);
    struct comb_v1_data_get_upload_response *seen = NULL;
    struct comb_v1_data_commit_upload_request *commit =
        comb_v1_data_commit_upload_request_new(r->arena);
    struct comb_v1_data_commit_upload_response *committed = NULL;
    char *id = start(r, "a");

    must_be(r, GRPCC_OK, write_part(r, id, 5, STR(" world"), &part));
    assert_int_equal(part->upload->received_bytes, 6);
    commit->request_id = new_request_id(r);
    commit->upload_id = id;
    must_be(
        r, GRPCC_FAILED_PRECONDITION,
        comb_v1_data_commit_upload(r->channel, r->arena, logged_in(), commit, &committed, &r->err));
    must_be(r, GRPCC_OK, put_part(r, id, 0, STR("hello")));
    must_be(r, GRPCC_INVALID_ARGUMENT, put_part(r, id, 3, STR("lo")));
    look->upload_id = id;
    must_be(r, GRPCC_OK,
            comb_v1_data_get_upload(r->channel, r->arena, logged_in(), look, &seen, &r->err));
    assert_int_equal(seen->upload->n_received, 1);
    assert_int_equal(seen->upload->received[0]->length, 11);
    commit->request_id = new_request_id(r);
    for (int i = 0; i < 2; i++)
        must_be(r, GRPCC_OK,
                comb_v1_data_commit_upload(r->channel, r->arena, logged_in(), commit, &committed,
                                           &r->err));
    assert_int_equal(committed->node->size, 11);
    must_hold(r, "/w/a", STR("hello world"));
}

static void aborted_upload_is_gone(void **state)
{
    struct rpc *r = *state;
    struct comb_v1_data_abort_upload_request *request =
        comb_v1_data_abort_upload_request_new(r->arena);
    struct comb_v1_data_abort_upload_response *response = NULL;
    struct comb_v1_data_list_uploads_request *list =
        comb_v1_data_list_uploads_request_new(r->arena);
    struct comb_v1_data_list_uploads_response *open = NULL;
    char *id = start(r, "a");

    must_be(r, GRPCC_OK,
            comb_v1_data_list_uploads(r->channel, r->arena, logged_in(), list, &open, &r->err));
    assert_int_equal(open->n_uploads, 1);
    assert_string_equal(open->uploads[0]->id, id);
    must_be(r, GRPCC_OK, put_part(r, id, 0, STR("hello")));
    request->request_id = new_request_id(r);
    request->upload_id = id;
    must_be(
        r, GRPCC_OK,
        comb_v1_data_abort_upload(r->channel, r->arena, logged_in(), request, &response, &r->err));
    must_be(r, GRPCC_NOT_FOUND, put_part(r, id, 5, STR(" world")));
    assert_int_equal(domain_objects(r->d), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(small_file_goes_in_and_out, setup, teardown),
        cmocka_unit_test_setup_teardown(large_file_goes_in_and_out, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_streams_leave_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelled_upload_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_become_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(aborted_upload_is_gone, setup, teardown),
    };

    /* Core's own end, which comes with the last handle, waits up to ten seconds for a poller that a
     * large transfer has left behind: this keeps it to the end of the process. */
    grpc_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
