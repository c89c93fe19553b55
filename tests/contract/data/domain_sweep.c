/* SPDX-License-Identifier: Apache-2.0 */
/* What the sweeper takes, what it leaves, and who comes too late. */
#include "tests/contract/data/domain.h"

/* Another process has taken over while a file was on its way: its session is dead, the late commit
 * fails, and nothing dangles. */
static void frozen_upload_cannot_commit(void **state)
{
    struct domain *d = *state;
    struct comb_request_key key = domain_key();
    struct comb_data_writer *writer = NULL;
    struct comb_data *other;
    struct comb_v1_node *node = NULL;
    struct test_ctx call;

    test_ctx_init(&call);
    call.principal = d->call.principal;
    must_ok(comb_data_begin_file(d->data, &call.ctx, domain_header_in(call.ctx.arena, "a"), "",
                                 &key, &writer, &call.err),
            &call.err);
    must_ok(comb_data_write(writer, &call.ctx, STR("one"), &call.err), &call.err);
    other = domain_successor(d);
    call.ctx.deadline_ns = INT64_MAX;
    domain_sweep(d, other);

    must_fail(COMB_UNAVAILABLE, comb_data_end_file(writer, &call.ctx, &node, &call.err), &call.err);
    assert_true(call.err.retryable);
    comb_data_writer_free(writer);
    test_ctx_done(&call);
    domain_must_lack(d, "a");
    assert_int_equal(domain_objects(d), 0);

    /* It has a new session now, and may write again. */
    domain_put(d, "a", STR("two"));
    domain_must_hold(d, "a", STR("two"));
    comb_data_free(other);
}

static void frozen_part_cannot_count(void **state)
{
    struct domain *d = *state;
    struct comb_request_key key = domain_key();
    struct comb_v1_data_start_upload_request *request;
    struct comb_v1_part_header *header;
    struct comb_data_writer *writer = NULL;
    struct comb_v1_upload *upload = NULL;
    struct comb_data *other;
    struct test_ctx call;

    request = comb_v1_data_start_upload_request_new(d->call.ctx.arena);
    request->target = domain_header(d, "a")->target;
    must_ok(comb_data_start_upload(d->data, &d->call.ctx, request, &key, &upload, &d->call.err),
            &d->call.err);
    test_ctx_init(&call);
    call.principal = d->call.principal;
    header = comb_v1_part_header_new(call.ctx.arena);
    header->upload_id = grpcc_arena_strdup(call.ctx.arena, upload->id);
    key = domain_key();
    must_ok(comb_data_begin_part(d->data, &call.ctx, header, "", &key, &writer, &call.err),
            &call.err);
    must_ok(comb_data_write(writer, &call.ctx, STR("one"), &call.err), &call.err);
    other = domain_successor(d);
    call.ctx.deadline_ns = INT64_MAX;
    domain_sweep(d, other);
    must_fail(COMB_UNAVAILABLE, comb_data_end_part(writer, &call.ctx, &upload, &call.err),
              &call.err);
    comb_data_writer_free(writer);
    must_ok(comb_data_get_upload(d->data, &call.ctx, header->upload_id, &upload, &call.err),
            &call.err);
    assert_int_equal(upload->received_bytes, 0);
    assert_int_equal(domain_objects(d), 0);
    comb_data_free(other);
    test_ctx_done(&call);
}

/* Puts an object there that no row names, as a process does that is killed before its commit. */
static void leave_an_orphan(struct domain *d, const struct comb_uuid *session)
{
    const struct comb_uuid blob = comb_uuid_new();
    struct comb_blob_writer *writer = NULL;
    char key[COMB_BLOB_KEY_MAX];

    must_ok(comb_blob_create(d->blobs, &d->call.ctx, comb_blob_key(session, &blob, key), 0, &writer,
                             &d->call.err),
            &d->call.err);
    must_ok(comb_blob_write(d->blobs, &d->call.ctx, writer, STR("orphan"), &d->call.err),
            &d->call.err);
    must_ok(comb_blob_commit(d->blobs, &d->call.ctx, writer, &d->call.err), &d->call.err);
}

static void orphans_of_dead_sessions_go(void **state)
{
    struct domain *d = *state;
    const struct comb_uuid dead = comb_uuid_new();
    struct comb_data *other;

    must_ok(d->store->driver->open_session(d->store, &d->call.ctx, &dead, &d->call.err),
            &d->call.err);
    for (int i = 0; i < 2 * COMB_DATA_NAMED_MAX; i++)
        leave_an_orphan(d, &dead);
    comb_data_free(d->data);
    d->data = domain_successor(d);
    domain_put(d, "a", STR("one"));
    assert_int_equal(domain_objects(d), 2 * COMB_DATA_NAMED_MAX + 1);
    domain_sweep(d, d->data);
    assert_int_equal(domain_objects(d), 1);

    /* What has a row stays when its writer dies. */
    other = domain_successor(d);
    domain_sweep(d, other);
    domain_must_hold(d, "a", STR("one"));
    comb_data_free(other);
}

static void living_session_is_left_alone(void **state)
{
    struct domain *d = *state;
    struct comb_request_key key = domain_key();
    struct comb_data_writer *writer = NULL;
    struct comb_v1_node *node = NULL;
    struct test_ctx call;

    test_ctx_init(&call);
    call.principal = d->call.principal;
    must_ok(comb_data_begin_file(d->data, &call.ctx, domain_header_in(call.ctx.arena, "a"), "",
                                 &key, &writer, &call.err),
            &call.err);
    must_ok(comb_data_write(writer, &call.ctx, STR("one"), &call.err), &call.err);
    /* It renews its lease by sweeping, and what it writes is not taken. */
    domain_advance_us(d, COMB_DATA_SESSION_LEASE_US * 2);
    domain_sweep(d, d->data);
    call.ctx.deadline_ns = INT64_MAX;
    must_ok(comb_data_end_file(writer, &call.ctx, &node, &call.err), &call.err);
    comb_data_writer_free(writer);
    d->call.ctx.reached = call.ctx.reached;
    test_ctx_done(&call);
    domain_must_hold(d, "a", STR("one"));
}

static void replaced_content_stays_for_the_window(void **state)
{
    struct domain *d = *state;

    domain_put(d, "a", STR("one"));
    domain_put(d, "b", STR("kept"));
    domain_put(d, "a", STR("two"));
    assert_int_equal(domain_objects(d), 3);
    domain_sweep(d, d->data);
    assert_int_equal(domain_objects(d), 3);
    domain_advance_us(d, DOMAIN_WINDOW_US - 1000000);
    domain_sweep(d, d->data);
    assert_int_equal(domain_objects(d), 3);
    domain_advance_us(d, 2000000);
    domain_sweep(d, d->data);
    assert_int_equal(domain_objects(d), 2);
    domain_must_hold(d, "a", STR("two"));
    domain_must_hold(d, "b", STR("kept"));
}

static void content_of_parts_goes_with_its_parts(void **state)
{
    struct domain *d = *state;
    struct comb_v1_data_start_upload_request *request;
    struct comb_v1_data_commit_upload_request *commit;
    struct comb_request_key key = domain_key();
    struct comb_v1_upload *upload = NULL;
    struct comb_v1_node *node;
    struct comb_ctx *ctx = domain_next(d);

    request = comb_v1_data_start_upload_request_new(ctx->arena);
    request->target = domain_header(d, "a")->target;
    must_ok(comb_data_start_upload(d->data, ctx, request, &key, &upload, &d->call.err),
            &d->call.err);
    for (uint64_t offset = 0; offset < 9; offset += 3) {
        struct comb_v1_part_header *header = comb_v1_part_header_new(ctx->arena);
        struct comb_data_writer *writer = NULL;

        header->upload_id = upload->id;
        header->offset = offset;
        key = domain_key();
        must_ok(comb_data_begin_part(d->data, ctx, header, "", &key, &writer, &d->call.err),
                &d->call.err);
        must_ok(comb_data_write(writer, ctx, STR("abc"), &d->call.err), &d->call.err);
        must_ok(comb_data_end_part(writer, ctx, &upload, &d->call.err), &d->call.err);
        comb_data_writer_free(writer);
    }
    commit = comb_v1_data_commit_upload_request_new(ctx->arena);
    commit->upload_id = upload->id;
    key = domain_key();
    must_ok(comb_data_commit_upload(d->data, ctx, commit, &key, &node, &d->call.err), &d->call.err);
    assert_int_equal(domain_objects(d), 3);
    domain_put(d, "a", STR("short"));
    domain_sweep(d, d->data);
    domain_advance_us(d, DOMAIN_WINDOW_US + 1000000);
    domain_sweep(d, d->data);
    assert_int_equal(domain_objects(d), 1);
    domain_must_hold(d, "a", STR("short"));
}

int suite_domain_sweep(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frozen_upload_cannot_commit, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(frozen_part_cannot_count, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(orphans_of_dead_sessions_go, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(living_session_is_left_alone, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(replaced_content_stays_for_the_window, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(content_of_parts_goes_with_its_parts, domain_setup,
                                        domain_teardown),
    };

    return cmocka_run_group_tests_name("sweeper", tests, NULL, NULL);
}
