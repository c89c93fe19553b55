/* SPDX-License-Identifier: Apache-2.0 */
/* The store of contents over each sql row: what its guards let through, and what the sweeper finds.
 */
#include <stdlib.h>

#include "server/core/clock.h"
#include "server/data/data_store.h"
#include "server/tree/tree_store.h"
#include "tests/support/sql_row.h"
#include "tests/support/support.h"

struct fixture {
    struct test_ctx call;
    struct comb_sql *sql;
    struct comb_data_store *store;
    const struct comb_data_store_driver *driver;
    struct comb_uuid session;
    char *folder;
};

static const char digest[32] = "0123456789abcdef0123456789abcde";

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    test_ctx_init(&f->call);
    f->folder = test_folder_new();
    f->sql = test_sql_row_open(f->folder);
    must_ok(comb_sql_migrate_schema(f->sql, comb_data_schemas, &f->call.err), &f->call.err);
    must_ok(comb_sql_migrate_schema(f->sql, comb_tree_schemas, &f->call.err), &f->call.err);
    must_ok(comb_data_store_open(f->sql, &f->store, &f->call.err), &f->call.err);
    f->driver = f->store->driver;
    f->session = comb_uuid_new();
    must_ok(f->driver->open_session(f->store, &f->call.ctx, &f->session, &f->call.err),
            &f->call.err);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    f->driver->close(f->store);
    comb_sql_close(f->sql);
    test_ctx_done(&f->call);
    free(f->folder);
    free(f);
    return 0;
}

/* Writes a plan as the mutation layer does, without its own statements. */
static enum comb_status run(struct fixture *f, const struct comb_plan *plan)
{
    const struct comb_sql_request request = {
        .kind = COMB_SQL_WRITE, .statements = plan->statements, .n_statements = plan->n_statements};
    const struct comb_sql_result *result;

    return comb_sql_run(f->sql, &f->call.ctx, &request, &result, &f->call.err);
}

static enum comb_status add_blob(struct fixture *f, const struct comb_uuid *id,
                                 const struct comb_uuid *session)
{
    struct comb_plan plan = {.n_statements = 0};
    const struct comb_data_blob blob = {
        .id = *id, .session = *session, .size = 7, .sha256 = comb_str_of(digest, 32)};

    must_ok(f->driver->plan_blob(f->store, &f->call.ctx, &plan, &blob, &f->call.err), &f->call.err);
    return run(f, &plan);
}

static struct comb_data_upload add_upload(struct fixture *f)
{
    struct comb_plan plan = {.n_statements = 0};
    struct comb_data_upload upload = {.id = comb_uuid_new(),
                                      .owner = f->call.principal.user,
                                      .target = STR("target"),
                                      .has_size = true,
                                      .size = 100};

    must_ok(f->driver->plan_upload(f->store, &f->call.ctx, &plan, &upload, 3, &f->call.err),
            &f->call.err);
    must_ok(run(f, &plan), &f->call.err);
    return upload;
}

static enum comb_status add_part(struct fixture *f, const struct comb_data_upload *upload,
                                 uint64_t offset, uint64_t size, comb_str hash_state)
{
    struct comb_plan plan = {.n_statements = 0};
    const struct comb_data_part part = {.offset = offset,
                                        .size = size,
                                        .sha256 = comb_str_of(digest, 32),
                                        .session = f->session,
                                        .object = comb_uuid_new()};
    const struct comb_data_hashed hashed = {offset + size, hash_state};

    must_ok(f->driver->plan_part(f->store, &f->call.ctx, &plan, upload, &part,
                                 hash_state.len > 0 ? &hashed : NULL, &f->call.err),
            &f->call.err);
    return run(f, &plan);
}

static struct comb_data_upload get_upload(struct fixture *f, const struct comb_uuid *id,
                                          bool expected)
{
    struct comb_data_upload upload = {.n_parts = 0};
    bool is_found = !expected;

    must_ok(f->driver->get_upload(f->store, &f->call.ctx, id, &is_found, &upload, &f->call.err),
            &f->call.err);
    assert_int_equal(is_found, expected);
    return upload;
}

static bool has_blob(struct fixture *f, const struct comb_uuid *id)
{
    struct comb_data_blob blob;
    bool is_found = false;

    must_ok(f->driver->get_blob(f->store, &f->call.ctx, id, &is_found, &blob, &f->call.err),
            &f->call.err);
    return is_found;
}

/* A new process opens its session. Where it has the store to itself, that ends the old one's; else
 * its lease does. */
static void end_session(struct fixture *f, const struct comb_uuid *next)
{
    struct comb_sql_info info;
    struct comb_uuid dead;
    bool is_found = false;

    comb_sql_get_info(f->sql, &info);
    if (info.shared) {
        comb_clock_advance_ns(COMB_DATA_SESSION_LEASE_US * 1000 + 1000000);
        test_ctx_next(&f->call);
    }
    must_ok(f->driver->open_session(f->store, &f->call.ctx, next, &f->call.err), &f->call.err);
    if (info.shared)
        must_ok(
            f->driver->next_dead_session(f->store, &f->call.ctx, &is_found, &dead, &f->call.err),
            &f->call.err);
    assert_true(is_found == info.shared);
}

static void blob_needs_a_living_session(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid early = comb_uuid_new(), late = comb_uuid_new(), next = comb_uuid_new();
    struct comb_data_blob blob;
    bool is_found = false, is_alive = true;

    must_ok(add_blob(f, &early, &f->session), &f->call.err);
    must_ok(f->driver->get_blob(f->store, &f->call.ctx, &early, &is_found, &blob, &f->call.err),
            &f->call.err);
    assert_true(is_found && blob.size == 7 && comb_uuid_equal(&blob.session, &f->session));
    assert_memory_equal(blob.sha256.ptr, digest, 32);

    end_session(f, &next);
    must_ok(f->driver->renew_session(f->store, &f->call.ctx, &f->session, &is_alive, &f->call.err),
            &f->call.err);
    assert_false(is_alive);
    must_fail(COMB_ABORTED, add_blob(f, &late, &f->session), &f->call.err);
    assert_false(has_blob(f, &late));
    must_ok(add_blob(f, &late, &next), &f->call.err);
}

static void session_dies_with_its_lease(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid blob = comb_uuid_new(), dead = {{0}};
    bool is_found = true, is_alive = false;

    must_ok(f->driver->next_dead_session(f->store, &f->call.ctx, &is_found, &dead, &f->call.err),
            &f->call.err);
    assert_false(is_found);
    comb_clock_advance_ns(COMB_DATA_SESSION_LEASE_US * 1000 / 2);
    test_ctx_next(&f->call);
    must_ok(f->driver->renew_session(f->store, &f->call.ctx, &f->session, &is_alive, &f->call.err),
            &f->call.err);
    assert_true(is_alive);
    comb_clock_advance_ns(COMB_DATA_SESSION_LEASE_US * 1000 - 1000000);
    test_ctx_next(&f->call);
    must_ok(add_blob(f, &blob, &f->session), &f->call.err);
    comb_clock_advance_ns(2000000);
    must_ok(f->driver->next_dead_session(f->store, &f->call.ctx, &is_found, &dead, &f->call.err),
            &f->call.err);
    assert_true(is_found && comb_uuid_equal(&dead, &f->session));
    blob = comb_uuid_new();
    must_fail(COMB_ABORTED, add_blob(f, &blob, &f->session), &f->call.err);

    /* Swept at once, and once more a day later; then it is forgotten. */
    for (int round = 0; round < 2; round++) {
        must_ok(f->driver->set_swept(f->store, &f->call.ctx, &dead, &f->call.err), &f->call.err);
        must_ok(
            f->driver->next_dead_session(f->store, &f->call.ctx, &is_found, &dead, &f->call.err),
            &f->call.err);
        assert_false(is_found);
        comb_clock_advance_ns(COMB_DATA_SESSION_RESWEEP_US * 1000);
        test_ctx_next(&f->call);
        must_ok(
            f->driver->next_dead_session(f->store, &f->call.ctx, &is_found, &dead, &f->call.err),
            &f->call.err);
        assert_int_equal(is_found, round == 0);
    }
}

static void parts_do_not_overlap(void **state)
{
    struct fixture *f = *state;
    const struct comb_data_upload upload = add_upload(f);
    static const struct {
        uint64_t offset, size;
        enum comb_status status;
    } cases[] = {
        {10, 10, COMB_OK},      {10, 10, COMB_ABORTED}, {0, 11, COMB_ABORTED},
        {19, 1, COMB_ABORTED},  {15, 30, COMB_ABORTED}, {5, 50, COMB_ABORTED},
        {12, 3, COMB_ABORTED},  {20, 80, COMB_OK},      {0, 10, COMB_OK},
        {100, 1, COMB_ABORTED}, {99, 2, COMB_ABORTED},
    };
    const struct comb_data_part *parts;
    struct comb_data_upload now;
    size_t n = 0;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum comb_status status =
            add_part(f, &upload, cases[i].offset, cases[i].size, comb_str_of(NULL, 0));

        if (status != cases[i].status)
            fail_msg("part %zu: %s", i, comb_status_name(status));
    }
    now = get_upload(f, &upload.id, true);
    assert_int_equal(now.n_parts, 3);
    assert_int_equal(now.received, 100);
    must_ok(
        f->driver->get_parts(f->store, &f->call.ctx, &upload.id, 19, 100, &parts, &n, &f->call.err),
        &f->call.err);
    assert_int_equal(n, 2);
    assert_int_equal(parts[0].offset, 10);
    assert_int_equal(parts[1].offset, 20);
    must_ok(
        f->driver->get_parts(f->store, &f->call.ctx, &upload.id, 20, 100, &parts, &n, &f->call.err),
        &f->call.err);
    assert_int_equal(n, 1);
    must_ok(f->driver->get_parts(f->store, &f->call.ctx, &upload.id, 100, 100, &parts, &n,
                                 &f->call.err),
            &f->call.err);
    assert_int_equal(n, 0);
}

static void hash_goes_on_only_in_order(void **state)
{
    struct fixture *f = *state;
    const struct comb_data_upload upload = add_upload(f);
    struct comb_data_upload now;

    must_ok(add_part(f, &upload, 0, 10, STR("ten")), &f->call.err);
    must_ok(add_part(f, &upload, 50, 10, STR("sixty")), &f->call.err);
    now = get_upload(f, &upload.id, true);
    assert_int_equal(now.hashed.bytes, 10);
    assert_true(comb_str_equal(now.hashed.state, STR("ten")));
    must_ok(add_part(f, &upload, 10, 5, comb_str_of(NULL, 0)), &f->call.err);
    assert_int_equal(get_upload(f, &upload.id, true).hashed.bytes, 10);
}

static void commit_takes_what_was_seen(void **state)
{
    struct fixture *f = *state;
    const struct comb_data_upload upload = add_upload(f);
    struct comb_data_upload seen;
    struct comb_plan plan = {.n_statements = 0}, again = {.n_statements = 0};
    struct comb_data_blob blob;
    bool is_found = false;

    must_ok(add_part(f, &upload, 0, 10, STR("ten")), &f->call.err);
    seen = get_upload(f, &upload.id, true);
    must_ok(add_part(f, &upload, 10, 10, STR("twenty")), &f->call.err);
    must_ok(f->driver->plan_commit(f->store, &f->call.ctx, &plan, &seen, comb_str_of(digest, 32),
                                   &f->call.err),
            &f->call.err);
    must_fail(COMB_ABORTED, run(f, &plan), &f->call.err);
    assert_false(has_blob(f, &upload.id));

    seen = get_upload(f, &upload.id, true);
    must_ok(f->driver->plan_commit(f->store, &f->call.ctx, &again, &seen, comb_str_of(digest, 32),
                                   &f->call.err),
            &f->call.err);
    must_ok(run(f, &again), &f->call.err);
    get_upload(f, &upload.id, false);
    must_ok(f->driver->get_blob(f->store, &f->call.ctx, &upload.id, &is_found, &blob, &f->call.err),
            &f->call.err);
    assert_true(is_found && blob.size == 20 && comb_uuid_is_nil(&blob.session));
    must_fail(COMB_ABORTED, add_part(f, &upload, 30, 1, comb_str_of(NULL, 0)), &f->call.err);
}

static void ended_upload_is_swept(void **state)
{
    struct fixture *f = *state;
    const struct comb_data_upload ended = add_upload(f), expired = add_upload(f);
    struct comb_plan plan = {.n_statements = 0};
    const struct comb_data_part *parts;
    struct comb_uuid next;
    bool is_found = true;
    size_t n = 0;

    must_ok(add_part(f, &ended, 0, 10, STR("ten")), &f->call.err);
    must_ok(f->driver->next_ended_upload(f->store, &f->call.ctx, &is_found, &next, &f->call.err),
            &f->call.err);
    assert_false(is_found);
    must_ok(f->driver->plan_abort(f->store, &f->call.ctx, &plan, &ended, &f->call.err),
            &f->call.err);
    must_ok(run(f, &plan), &f->call.err);
    get_upload(f, &ended.id, false);
    must_fail(COMB_ABORTED, add_part(f, &ended, 10, 10, STR("more")), &f->call.err);
    must_ok(f->driver->next_ended_upload(f->store, &f->call.ctx, &is_found, &next, &f->call.err),
            &f->call.err);
    assert_true(is_found && comb_uuid_equal(&next, &ended.id));
    /* Not before its parts. */
    must_ok(f->driver->drop(f->store, &f->call.ctx, &next, &f->call.err), &f->call.err);
    must_ok(f->driver->get_parts(f->store, &f->call.ctx, &next, 0, 10, &parts, &n, &f->call.err),
            &f->call.err);
    assert_int_equal(n, 1);
    must_ok(f->driver->drop_parts(f->store, &f->call.ctx, &next, parts, n, &f->call.err),
            &f->call.err);
    must_ok(f->driver->drop(f->store, &f->call.ctx, &next, &f->call.err), &f->call.err);
    must_ok(f->driver->next_ended_upload(f->store, &f->call.ctx, &is_found, &next, &f->call.err),
            &f->call.err);
    assert_false(is_found);

    comb_clock_advance_ns(COMB_DATA_UPLOAD_KEEP_US * 1000);
    test_ctx_next(&f->call);
    get_upload(f, &expired.id, false);
    must_ok(f->driver->next_ended_upload(f->store, &f->call.ctx, &is_found, &next, &f->call.err),
            &f->call.err);
    assert_true(is_found && comb_uuid_equal(&next, &expired.id));
}

static enum comb_status try_upload(struct fixture *f, const struct comb_uuid *owner,
                                   struct comb_uuid *ret_id)
{
    struct comb_plan plan = {.n_statements = 0};
    const struct comb_data_upload upload = {
        .id = comb_uuid_new(), .owner = *owner, .target = STR("target")};

    *ret_id = upload.id;
    must_ok(f->driver->plan_upload(f->store, &f->call.ctx, &plan, &upload, 2, &f->call.err),
            &f->call.err);
    return run(f, &plan);
}

static uint64_t count_uploads(struct fixture *f, const struct comb_uuid *owner)
{
    uint64_t n = 0;

    must_ok(f->driver->count_uploads(f->store, &f->call.ctx, owner, &n, &f->call.err),
            &f->call.err);
    return n;
}

static void upload_waits_for_a_place_of_its_owner(void **state)
{
    struct fixture *f = *state;
    const struct comb_uuid owner = comb_uuid_new(), other = comb_uuid_new();
    struct comb_data_upload first = {.owner = owner};
    struct comb_uuid id, nil = {{0}};
    const struct comb_data_upload *uploads;
    struct comb_plan plan = {.n_statements = 0};
    size_t n = 0;

    must_ok(try_upload(f, &owner, &first.id), &f->call.err);
    must_ok(try_upload(f, &owner, &id), &f->call.err);
    must_fail(COMB_ABORTED, try_upload(f, &owner, &id), &f->call.err);
    must_ok(try_upload(f, &other, &id), &f->call.err);
    assert_int_equal(count_uploads(f, &owner), 2);
    must_ok(f->driver->list_uploads(f->store, &f->call.ctx, &owner, &nil, 10, &uploads, &n,
                                    &f->call.err),
            &f->call.err);
    assert_int_equal(n, 2);
    assert_memory_equal(&uploads[0].id, &first.id, sizeof first.id);
    assert_true(comb_str_equal(uploads[1].target, STR("target")));
    must_ok(f->driver->list_uploads(f->store, &f->call.ctx, &owner, &first.id, 10, &uploads, &n,
                                    &f->call.err),
            &f->call.err);
    assert_int_equal(n, 1);

    must_ok(f->driver->plan_abort(f->store, &f->call.ctx, &plan, &first, &f->call.err),
            &f->call.err);
    must_ok(run(f, &plan), &f->call.err);
    must_ok(try_upload(f, &owner, &id), &f->call.err);

    /* What has expired has its place until it is ended, here by being counted. */
    comb_clock_advance_ns(COMB_DATA_UPLOAD_KEEP_US * 1000);
    test_ctx_next(&f->call);
    must_fail(COMB_ABORTED, try_upload(f, &owner, &id), &f->call.err);
    assert_int_equal(count_uploads(f, &owner), 0);
    must_ok(try_upload(f, &owner, &id), &f->call.err);
}

static void reference(struct fixture *f, const char *text, const struct comb_uuid *blob)
{
    const struct comb_sql_value param = comb_sql_uuid(blob);
    const struct comb_plan plan = {.statements = {{.text = text, .params = &param, .n_params = 1}},
                                   .n_statements = 1};

    must_ok(run(f, &plan), &f->call.err);
}

static bool is_doomed(struct fixture *f, int64_t window_us, struct comb_data_blob *ret_blob)
{
    struct comb_uuid after = {{0}};
    bool is_found = false;

    must_ok(f->driver->condemn(f->store, &f->call.ctx, 100, &after, &f->call.err), &f->call.err);
    assert_true(comb_uuid_is_nil(&after));
    must_ok(f->driver->next_doomed(f->store, &f->call.ctx, window_us, &is_found, ret_blob,
                                   &f->call.err),
            &f->call.err);
    return is_found;
}

static void unreferenced_blob_is_condemned_then_doomed(void **state)
{
    struct fixture *f = *state;
    const int64_t window_us = 1000000;
    struct comb_uuid kept = comb_uuid_new(), dropped = comb_uuid_new();
    struct comb_data_blob blob;
    static const char add[] =
        "INSERT INTO node (id, parent, name, kind, rev, acl_rev, size, create_us, update_us, blob)"
        " VALUES (?1, ?1, '', 1, 1, 1, 0, 0, 0, ?1)";
    static const char remove[] = "DELETE FROM node WHERE blob = ?1";

    must_ok(add_blob(f, &kept, &f->session), &f->call.err);
    must_ok(add_blob(f, &dropped, &f->session), &f->call.err);
    reference(f, add, &kept);
    reference(f, add, &dropped);
    assert_false(is_doomed(f, window_us, &blob));
    reference(f, remove, &dropped);
    assert_false(is_doomed(f, window_us, &blob));
    comb_clock_advance_ns(window_us * 1000 * 2);
    /* A reference that came back lifts the condemnation, and the window begins anew. */
    reference(f, add, &dropped);
    assert_false(is_doomed(f, window_us, &blob));
    reference(f, remove, &dropped);
    assert_false(is_doomed(f, window_us, &blob));
    comb_clock_advance_ns(window_us * 1000 * 2);
    assert_true(is_doomed(f, window_us, &blob));
    assert_true(comb_uuid_equal(&blob.id, &dropped));
    assert_false(has_blob(f, &dropped));
    assert_true(is_doomed(f, window_us, &blob));
    must_ok(f->driver->drop(f->store, &f->call.ctx, &dropped, &f->call.err), &f->call.err);
    assert_false(is_doomed(f, window_us, &blob));
    must_ok(f->driver->drop(f->store, &f->call.ctx, &kept, &f->call.err), &f->call.err);
    assert_true(has_blob(f, &kept));
}

/* Rule 7.2: what was condemned before a restore may be named again by what was put back. */
static void a_restore_lifts_all_condemnations(void **state)
{
    struct fixture *f = *state;
    const int64_t window_us = 1000000;
    struct comb_uuid id = comb_uuid_new();
    struct comb_data_blob blob;
    uint64_t before = comb_sql_incarnation(f->sql), after = 0;

    must_ok(add_blob(f, &id, &f->session), &f->call.err);
    assert_false(is_doomed(f, window_us, &blob));
    comb_clock_advance_ns(window_us * 1000 * 2);
    must_ok(comb_sql_begin_anew(f->sql, &f->call.ctx, before, &after, &f->call.err), &f->call.err);
    f->driver->close(f->store);
    comb_sql_close(f->sql);
    f->sql = test_sql_row_open(f->folder);
    assert_true(comb_sql_incarnation(f->sql) != before);
    assert_false(comb_sql_is_history(f->sql, before));
    must_ok(comb_data_store_open(f->sql, &f->store, &f->call.err), &f->call.err);
    /* Its time was over; it is condemned anew, and has the whole window. */
    test_ctx_next(&f->call);
    assert_false(is_doomed(f, window_us, &blob));
    assert_true(has_blob(f, &id));
    comb_clock_advance_ns(window_us * 1000 * 2);
    assert_true(is_doomed(f, window_us, &blob));
}

static void condemning_walks_in_windows(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid after = {{0}};
    struct comb_data_blob blob;
    bool is_found = false;
    int rounds = 0;

    for (int i = 0; i < 10; i++) {
        struct comb_uuid id = comb_uuid_new();

        must_ok(add_blob(f, &id, &f->session), &f->call.err);
    }
    do {
        must_ok(f->driver->condemn(f->store, &f->call.ctx, 4, &after, &f->call.err), &f->call.err);
        rounds++;
    } while (!comb_uuid_is_nil(&after));
    assert_int_equal(rounds, 3);
    comb_clock_advance_ns(1000000);
    for (int i = 0; i < 10; i++) {
        must_ok(f->driver->next_doomed(f->store, &f->call.ctx, 0, &is_found, &blob, &f->call.err),
                &f->call.err);
        assert_true(is_found);
        must_ok(f->driver->drop(f->store, &f->call.ctx, &blob.id, &f->call.err), &f->call.err);
    }
    must_ok(f->driver->next_doomed(f->store, &f->call.ctx, 0, &is_found, &blob, &f->call.err),
            &f->call.err);
    assert_false(is_found);
}

static void objects_with_a_row_are_named(void **state)
{
    struct fixture *f = *state;
    const struct comb_data_upload upload = add_upload(f);
    struct comb_uuid objects[3] = {comb_uuid_new(), comb_uuid_new()};
    const struct comb_data_part *parts;
    bool named[3] = {false, true, false};
    size_t n;

    must_ok(add_blob(f, &objects[0], &f->session), &f->call.err);
    must_ok(add_part(f, &upload, 0, 5, STR("five")), &f->call.err);
    must_ok(
        f->driver->get_parts(f->store, &f->call.ctx, &upload.id, 0, 1, &parts, &n, &f->call.err),
        &f->call.err);
    objects[2] = parts[0].object;
    must_ok(f->driver->are_named(f->store, &f->call.ctx, objects, 3, named, &f->call.err),
            &f->call.err);
    assert_true(named[0] && !named[1] && named[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(blob_needs_a_living_session, setup, teardown),
        cmocka_unit_test_setup_teardown(session_dies_with_its_lease, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_do_not_overlap, setup, teardown),
        cmocka_unit_test_setup_teardown(hash_goes_on_only_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(commit_takes_what_was_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(ended_upload_is_swept, setup, teardown),
        cmocka_unit_test_setup_teardown(upload_waits_for_a_place_of_its_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(unreferenced_blob_is_condemned_then_doomed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_restore_lifts_all_condemnations, setup, teardown),
        cmocka_unit_test_setup_teardown(condemning_walks_in_windows, setup, teardown),
        cmocka_unit_test_setup_teardown(objects_with_a_row_are_named, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
