/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: written, replaced, read in ranges, refused. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/core/clock.h"
#include "server/core/hash.h"
#include "tests/contract/data/domain.h"

static void file_reads_back(void **state)
{
    struct domain *d = *state;
    const struct comb_request_key key = domain_key();
    struct comb_v1_node *node = NULL;
    uint8_t digest[COMB_SHA256_SIZE];

    must_ok(domain_write(d, domain_header(d, "hello.txt"), &key, STR("hello"), &node),
            &d->call.err);
    assert_string_equal(node->name, "hello.txt");
    assert_string_equal(node->path, "/w/hello.txt");
    assert_string_equal(node->media_type, "text/plain");
    assert_int_equal(node->kind, COMB_V1_NODE_KIND_FILE);
    assert_int_equal(node->size, 5);
    assert_int_equal(node->revision, 1);
    must_ok(comb_sha256(STR("hello"), digest, &d->call.err), &d->call.err);
    assert_int_equal(node->sha256.len, sizeof digest);
    assert_memory_equal(node->sha256.data, digest, sizeof digest);
    domain_must_hold(d, "hello.txt", STR("hello"));
}

static void large_file_comes_in_chunks(void **state)
{
    struct domain *d = *state;
    const size_t size = (3 << 20) + 12345;
    char *content = malloc(size);

    assert_non_null(content);
    for (size_t i = 0; i < size; i++)
        content[i] = (char)(i * 2654435761u >> 13);
    domain_put(d, "large", comb_str_of(content, size));
    domain_must_hold(d, "large", comb_str_of(content, size));
    free(content);
}

static void empty_file_is_a_file(void **state)
{
    struct domain *d = *state;
    struct comb_v1_data_download_request *request;
    comb_str content;

    domain_put(d, "empty", STR(""));
    domain_must_hold(d, "empty", STR(""));
    domain_next(d);
    request = domain_request(d, "empty");
    request->offset = 1;
    must_fail(COMB_OUT_OF_RANGE, domain_get(d, request, &content), &d->call.err);
}

static void ranges_are_cut_at_the_end(void **state)
{
    struct domain *d = *state;
    static const struct {
        uint64_t offset;
        bool has_length;
        uint64_t length;
        const char *content; /* NULL: OUT_OF_RANGE */
    } cases[] = {
        {0, false, 0, "0123456789"}, {3, false, 0, "3456789"},
        {3, true, 4, "3456"},        {3, true, 0, ""},
        {9, true, 100, "9"},         {0, true, UINT64_MAX, "0123456789"},
        {10, false, 0, NULL},        {10, true, 0, NULL},
        {UINT64_MAX, true, 1, NULL},
    };

    domain_put(d, "digits", STR("0123456789"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct comb_v1_data_download_request *request;
        comb_str content = {NULL, 0};

        domain_next(d);
        request = domain_request(d, "digits");
        request->offset = cases[i].offset;
        request->has_length = cases[i].has_length;
        request->length = cases[i].length;
        if (!cases[i].content) {
            must_fail(COMB_OUT_OF_RANGE, domain_get(d, request, &content), &d->call.err);
            continue;
        }
        must_ok(domain_get(d, request, &content), &d->call.err);
        assert_int_equal(content.len, strlen(cases[i].content));
        assert_memory_equal(content.ptr, cases[i].content, content.len);
    }
}

static void etags_choose_what_is_sent(void **state)
{
    struct domain *d = *state;
    const struct comb_request_key key = domain_key();
    struct comb_v1_data_download_request *request;
    struct comb_data_reader *reader = NULL;
    struct comb_v1_download_header *header = NULL;
    struct comb_v1_node *node;
    comb_str content;
    char etag[64];

    must_ok(domain_write(d, domain_header(d, "a"), &key, STR("one"), &node), &d->call.err);
    snprintf(etag, sizeof etag, "%s", node->etag);
    domain_next(d);
    request = domain_request(d, "a");
    request->if_none_match = etag;
    must_ok(
        comb_data_begin_download(d->data, &d->call.ctx, request, &reader, &header, &d->call.err),
        &d->call.err);
    assert_true(header->not_modified);
    assert_string_equal(header->node->etag, etag);
    comb_data_reader_free(reader);

    domain_put(d, "a", STR("two"));
    domain_next(d);
    request = domain_request(d, "a");
    request->if_none_match = etag;
    must_ok(domain_get(d, request, &content), &d->call.err);
    assert_memory_equal(content.ptr, "two", 3);
    domain_next(d);
    request = domain_request(d, "a");
    request->if_match = etag;
    must_fail(COMB_FAILED_PRECONDITION, domain_get(d, request, &content), &d->call.err);
    assert_int_equal(d->call.err.reason, COMB_V1_ERROR_REASON_ETAG_MISMATCH);
}

static void replacing_keeps_the_node(void **state)
{
    struct domain *d = *state;
    struct comb_uuid first = domain_put(d, "a", STR("one")), second;
    struct comb_data_reader *reader = NULL;
    struct comb_v1_download_header *header;
    struct comb_v1_node *node;
    const struct comb_request_key key = domain_key();
    struct comb_ctx ctx;
    comb_str bytes;

    /* A download that has begun goes on in the old content. */
    domain_next(d);
    ctx = d->call.ctx;
    ctx.arena = grpcc_arena_new(0);
    must_ok(comb_data_begin_download(d->data, &ctx, domain_request(d, "a"), &reader, &header,
                                     &d->call.err),
            &d->call.err);
    must_ok(domain_write(d, domain_header(d, "a"), &key, STR("other"), &node), &d->call.err);
    assert_int_equal(node->revision, 2);
    assert_int_equal(node->size, 5);
    assert_true(comb_uuid_parse(comb_str_from(node->id), &second));
    assert_true(comb_uuid_equal(&first, &second));
    must_ok(comb_data_read(reader, &ctx, &bytes, &d->call.err), &d->call.err);
    assert_true(comb_str_equal(bytes, STR("one")));
    must_ok(comb_data_read(reader, &ctx, &bytes, &d->call.err), &d->call.err);
    assert_int_equal(bytes.len, 0);
    comb_data_reader_free(reader);
    grpcc_arena_free(ctx.arena);
    domain_must_hold(d, "a", STR("other"));
}

static void conditions_hold(void **state)
{
    struct domain *d = *state;
    struct comb_v1_upload_header *header;
    struct comb_v1_write_condition *condition;
    struct comb_request_key key = domain_key();
    struct comb_v1_node *node;
    char etag[64];

    must_ok(domain_write(d, domain_header(d, "a"), &key, STR("one"), &node), &d->call.err);
    snprintf(etag, sizeof etag, "%s", node->etag);
    for (int i = 0; i < 3; i++) {
        domain_next(d);
        header = domain_header(d, "a");
        header->target->condition = condition = comb_v1_write_condition_new(d->call.ctx.arena);
        if (i == 0) {
            condition->condition_case = COMB_V1_WRITE_CONDITION_CONDITION_ABSENT;
            condition->absent = true;
        } else {
            condition->condition_case = COMB_V1_WRITE_CONDITION_CONDITION_ETAG;
            condition->etag = etag;
        }
        key = domain_key();
        if (i == 1) {
            must_ok(domain_write(d, header, &key, STR("two"), &node), &d->call.err);
            continue;
        }
        must_fail(i == 0 ? COMB_ALREADY_EXISTS : COMB_FAILED_PRECONDITION,
                  domain_write(d, header, &key, STR("three"), &node), &d->call.err);
        assert_int_equal(d->call.err.reason, i == 0 ? COMB_V1_ERROR_REASON_NAME_TAKEN
                                                    : COMB_V1_ERROR_REASON_ETAG_MISMATCH);
    }
    domain_must_hold(d, "a", STR("two"));
    assert_int_equal(domain_objects(d), 2); /* the refused ones left nothing */
}

static void wrong_content_is_refused(void **state)
{
    struct domain *d = *state;
    static uint8_t digest[COMB_SHA256_SIZE];
    struct comb_v1_upload_header *header;
    struct comb_request_key key = domain_key();
    struct comb_v1_node *node;

    header = domain_header(d, "a");
    header->sha256.data = digest;
    header->sha256.len = sizeof digest;
    must_fail(COMB_DATA_LOSS, domain_write(d, header, &key, STR("one"), &node), &d->call.err);
    assert_int_equal(d->call.err.reason, COMB_V1_ERROR_REASON_CHECKSUM_MISMATCH);
    for (uint64_t size = 2; size <= 4; size += 2) {
        header = domain_header(d, "a");
        header->has_size = true;
        header->size = size;
        must_fail(COMB_INVALID_ARGUMENT, domain_write(d, header, &key, STR("one"), &node),
                  &d->call.err);
        assert_string_equal(d->call.err.subject, "size");
    }
    header = domain_header(d, "a");
    header->sha256.data = digest;
    header->sha256.len = 31;
    must_fail(COMB_INVALID_ARGUMENT, domain_write(d, header, &key, STR("one"), &node),
              &d->call.err);
    header = domain_header(d, "a");
    header->has_size = true;
    header->size = COMB_DATA_FILE_BYTES_MAX + 1;
    must_fail(COMB_RESOURCE_EXHAUSTED, domain_write(d, header, &key, STR("one"), &node),
              &d->call.err);
    assert_string_equal(d->call.err.subject, "file_bytes_max");
    header = domain_header(d, "a");
    header->target->media_type = grpcc_arena_strdup(d->call.ctx.arena, "text");
    must_fail(COMB_INVALID_ARGUMENT, domain_write(d, header, &key, STR("one"), &node),
              &d->call.err);
    header = domain_header(d, "a");
    header->target = NULL;
    must_fail(COMB_INVALID_ARGUMENT, domain_write(d, header, &key, STR("one"), &node),
              &d->call.err);
    domain_must_lack(d, "a");
    assert_int_equal(domain_objects(d), 0);
}

static void missing_folders_are_made(void **state)
{
    struct domain *d = *state;
    struct comb_v1_upload_header *header = domain_header(d, "a");
    const struct comb_request_key key = domain_key();
    struct comb_v1_node *node;

    header->target->parent->path = grpcc_arena_strdup(d->call.ctx.arena, "/w/x/y");
    must_fail(COMB_NOT_FOUND, domain_write(d, header, &key, STR("one"), &node), &d->call.err);
    header->target->create_parents = true;
    must_ok(domain_write(d, header, &key, STR("one"), &node), &d->call.err);
    assert_string_equal(node->path, "/w/x/y/a");
    domain_must_hold(d, "x/y/a", STR("one"));
    domain_next(d);
    comb_str content;
    must_fail(COMB_FAILED_PRECONDITION, domain_get(d, domain_request(d, "x"), &content),
              &d->call.err);
    assert_int_equal(d->call.err.reason, COMB_V1_ERROR_REASON_NOT_A_FILE);
}

static void repeated_request_gives_the_first_outcome(void **state)
{
    struct domain *d = *state;
    const struct comb_request_key key = domain_key();
    struct comb_v1_upload_header *header;
    struct comb_v1_node *node;
    char id[64];

    must_ok(domain_write(d, domain_header(d, "a"), &key, STR("one"), &node), &d->call.err);
    snprintf(id, sizeof id, "%s", node->id);
    domain_next(d);
    header = domain_header(d, "a");
    must_ok(domain_write(d, header, &key, STR("one"), &node), &d->call.err);
    assert_string_equal(node->id, id);
    assert_int_equal(node->revision, 1);
    assert_int_equal(domain_objects(d), 1);
    domain_must_hold(d, "a", STR("one"));
    must_fail(COMB_INVALID_ARGUMENT,
              domain_write(d, domain_header(d, "a"), &key, STR("two"), &node), &d->call.err);
    assert_int_equal(d->call.err.reason, COMB_V1_ERROR_REASON_REQUEST_ID_REUSED);
    assert_int_equal(domain_objects(d), 1);
    domain_must_hold(d, "a", STR("one"));
}

/* The condition of a repeated request is that of the first time. */
static void repetition_ignores_its_own_file(void **state)
{
    struct domain *d = *state;
    const struct comb_request_key key = domain_key();
    struct comb_v1_node *node;

    for (int i = 0; i < 2; i++) {
        struct comb_v1_upload_header *header;

        domain_next(d);
        header = domain_header(d, "a");
        header->target->condition = comb_v1_write_condition_new(d->call.ctx.arena);
        header->target->condition->condition_case = COMB_V1_WRITE_CONDITION_CONDITION_ABSENT;
        header->target->condition->absent = true;
        must_ok(domain_write(d, header, &key, STR("one"), &node), &d->call.err);
        assert_int_equal(node->revision, 1);
    }
}

#define UPLOADERS 4

struct uploader {
    struct domain *d;
    struct test_ctx call;
    pthread_t thread;
    enum comb_status status;
};

/* Each begins before any of them ends. */
static pthread_barrier_t all_have_begun;

static void *upload_if_absent(void *data)
{
    struct uploader *uploader = data;
    struct domain mine = *uploader->d;
    const struct comb_request_key key = domain_key();
    struct comb_v1_upload_header *header;
    struct comb_data_writer *writer = NULL;
    struct comb_v1_node *node;
    struct comb_ctx *ctx = &uploader->call.ctx;

    mine.call = uploader->call;
    header = domain_header(&mine, "a");
    header->target->condition = comb_v1_write_condition_new(ctx->arena);
    header->target->condition->condition_case = COMB_V1_WRITE_CONDITION_CONDITION_ABSENT;
    header->target->condition->absent = true;
    uploader->status = comb_data_begin_file(mine.data, ctx, header, "", &key, &writer, NULL);
    pthread_barrier_wait(&all_have_begun);
    if (uploader->status == COMB_OK)
        uploader->status = comb_data_write(writer, ctx, STR("one"), NULL);
    if (uploader->status == COMB_OK)
        uploader->status = comb_data_end_file(writer, ctx, &node, NULL);
    comb_data_writer_free(writer);
    return NULL;
}

static void one_of_many_gets_the_name(void **state)
{
    struct domain *d = *state;
    struct uploader uploaders[UPLOADERS];
    int won = 0;

    assert_int_equal(pthread_barrier_init(&all_have_begun, NULL, UPLOADERS), 0);
    for (int i = 0; i < UPLOADERS; i++) {
        uploaders[i].d = d;
        test_ctx_init(&uploaders[i].call);
        uploaders[i].call.principal = d->call.principal;
        assert_int_equal(
            pthread_create(&uploaders[i].thread, NULL, upload_if_absent, &uploaders[i]), 0);
    }
    for (int i = 0; i < UPLOADERS; i++) {
        pthread_join(uploaders[i].thread, NULL);
        won += uploaders[i].status == COMB_OK;
        assert_true(uploaders[i].status == COMB_OK || uploaders[i].status == COMB_ALREADY_EXISTS);
        test_ctx_done(&uploaders[i].call);
    }
    pthread_barrier_destroy(&all_have_begun);
    assert_int_equal(won, 1);
    assert_int_equal(domain_objects(d), 1);
}

static void stranger_sees_nothing(void **state)
{
    struct domain *d = *state;
    const struct comb_request_key key = domain_key();
    struct comb_data_reader *reader = NULL;
    struct comb_data_writer *writer = NULL;
    struct comb_v1_download_header *header;

    domain_put(d, "a", STR("one"));
    must_fail(COMB_NOT_FOUND,
              comb_data_begin_download(d->data, &d->stranger.ctx, domain_request(d, "a"), &reader,
                                       &header, &d->stranger.err),
              &d->stranger.err);
    must_fail(COMB_NOT_FOUND,
              comb_data_begin_file(d->data, &d->stranger.ctx, domain_header(d, "b"), "", &key,
                                   &writer, &d->stranger.err),
              &d->stranger.err);
    assert_null(reader);
    assert_null(writer);
}

static void lost_right_ends_a_download(void **state)
{
    struct domain *d = *state;
    struct comb_data_reader *reader = NULL;
    struct comb_v1_download_header *header;
    static char content[2 << 20];
    struct test_ctx call;
    comb_str bytes;

    domain_put(d, "a", comb_str_of(content, sizeof content));
    test_ctx_init(&call);
    call.principal = d->call.principal;
    call.ctx.seen = d->call.ctx.reached;
    must_ok(comb_data_begin_download(d->data, &call.ctx, domain_request(d, "a"), &reader, &header,
                                     &call.err),
            &call.err);
    must_ok(comb_data_read(reader, &call.ctx, &bytes, &call.err), &call.err);
    assert_int_equal(bytes.len, COMB_DATA_CHUNK_MAX);
    domain_change_rights(d, "DELETE FROM entry WHERE node = ?1", &d->root);
    domain_advance_us(d, 2 * COMB_FACTS_BOUND_MS * 1000LL);
    must_fail(COMB_NOT_FOUND, comb_data_read(reader, &call.ctx, &bytes, &call.err), &call.err);
    assert_int_equal(call.err.reason, COMB_V1_ERROR_REASON_NODE_NOT_FOUND);
    comb_data_reader_free(reader);
    test_ctx_done(&call);
}

int suite_domain_file(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(file_reads_back, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(large_file_comes_in_chunks, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(empty_file_is_a_file, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(ranges_are_cut_at_the_end, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(etags_choose_what_is_sent, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(replacing_keeps_the_node, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(conditions_hold, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(wrong_content_is_refused, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(missing_folders_are_made, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(repeated_request_gives_the_first_outcome, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(repetition_ignores_its_own_file, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(one_of_many_gets_the_name, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(stranger_sees_nothing, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(lost_right_ends_a_download, domain_setup, domain_teardown),
    };

    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
