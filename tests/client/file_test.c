/* SPDX-License-Identifier: Apache-2.0 */
/* One file up and down: whole, in parts, after breaks. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comb/files.h"
#include "tests/client/fake.h"

enum { SMALL = 100000, LARGE = (21 << 20) + 17 };

struct fixture {
    struct fake fake;
    struct comb_client *client;
    struct grpcc_arena *arena;
    unsigned char *bytes; /* LARGE of them */
    unsigned char *got;
    size_t n_got;
    struct grpcc_error err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    fake_start(&f->fake, 0);
    f->client = fake_client(&f->fake, NULL);
    f->arena = grpcc_arena_new(0);
    f->bytes = malloc(LARGE);
    f->got = malloc(LARGE);
    uint32_t random = 1;
    for (size_t i = 0; i < LARGE; i++)
        f->bytes[i] = (unsigned char)((random = random * 1664525 + 1013904223) >> 24);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    comb_client_close(f->client);
    fake_done(&f->fake);
    grpcc_arena_free(f->arena);
    free(f->bytes);
    free(f->got);
    free(f);
    return 0;
}

static bool take(void *data, const void *bytes, size_t n)
{
    struct fixture *f = data;
    assert_true(f->n_got + n <= LARGE);
    memcpy(f->got + f->n_got, bytes, n);
    f->n_got += n;
    return true;
}

static void path_of(const char *name, char ret_path[4096])
{
    snprintf(ret_path, 4096, "%s/%s", getenv("TEST_TMPDIR"), name);
}

static void write_local(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void small_content_is_one_call(void **state)
{
    struct fixture *f = *state;
    struct comb_v1_node *node = NULL;
    must_ok(comb_put_bytes(f->client, f->arena, "/personal/a.txt", f->bytes, SMALL, NULL, &node,
                           &f->err),
            &f->err);
    assert_int_equal(node->size, SMALL);
    assert_int_equal(fake_read(&f->fake, &f->fake.puts), 1);
    fake_must_hold(&f->fake, f->bytes, SMALL);
    must_ok(
        comb_get_stream(f->client, f->arena, "/personal/a.txt", 10, 1000, take, f, &node, &f->err),
        &f->err);
    assert_int_equal(f->n_got, 1000);
    assert_memory_equal(f->got, f->bytes + 10, 1000);
}

static void paths_without_a_name_are_refused(void **state)
{
    static const char *const BAD[] = {"", "a.txt", "/", "/personal", "/personal/"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        must_fail(GRPCC_INVALID_ARGUMENT,
                  comb_put_bytes(f->client, f->arena, BAD[i], "", 0, NULL, NULL, &f->err), &f->err);
}

static void large_content_goes_in_parts(void **state)
{
    struct fixture *f = *state;
    struct comb_v1_node *node = NULL;
    char local[4096], back[4096];
    struct stat info;
    path_of("large", local);
    path_of("large.back", back);
    write_local(local, f->bytes, LARGE);
    must_ok(comb_put_file(f->client, f->arena, local, "/personal/a.txt", NULL, &node, &f->err),
            &f->err);
    assert_int_equal(fake_read(&f->fake, &f->fake.starts), 1);
    assert_int_equal(fake_read(&f->fake, &f->fake.parts),
                     6); /* of at most 4 MiB, as the server says */
    assert_int_equal(fake_read(&f->fake, &f->fake.commits), 1);
    fake_must_hold(&f->fake, f->bytes, LARGE);
    must_ok(comb_get_file(f->client, f->arena, "/personal/a.txt", back, NULL, NULL, &node, &f->err),
            &f->err);
    assert_int_equal(stat(back, &info), 0);
    assert_int_equal(info.st_size, LARGE);
}

static void parts_whose_answer_is_lost_are_not_sent_twice(void **state)
{
    struct fixture *f = *state;
    fake_write(&f->fake, &f->fake.break_parts, 1);
    must_ok(comb_put_bytes(f->client, f->arena, "/personal/a.txt", f->bytes, 3 << 20, NULL, NULL,
                           &f->err),
            &f->err);
    assert_int_equal(fake_read(&f->fake, &f->fake.parts), 1);
    assert_int_equal(fake_count(&f->fake, "GetUpload"), 1);
    fake_must_hold(&f->fake, f->bytes, 3 << 20);
}

static void downloads_go_on_where_they_broke(void **state)
{
    struct fixture *f = *state;
    struct comb_v1_node *node = NULL;
    fake_fill(&f->fake, f->bytes, LARGE);
    fake_write(&f->fake, &f->fake.break_after, 5 << 20);
    must_ok(comb_get_stream(f->client, f->arena, "/personal/a.txt", 0, UINT64_MAX, take, f, &node,
                            &f->err),
            &f->err);
    assert_int_equal(f->n_got, LARGE);
    assert_memory_equal(f->got, f->bytes, LARGE);
    assert_int_equal(fake_count(&f->fake, "Download"), 2);
}

static void content_that_is_not_what_it_says_is_refused(void **state)
{
    struct fixture *f = *state;
    char back[4096];
    path_of("corrupt", back);
    fake_fill(&f->fake, f->bytes, SMALL);
    fake_write(&f->fake, &f->fake.corrupt, 1);
    must_fail(
        GRPCC_DATA_LOSS,
        comb_get_file(f->client, f->arena, "/personal/a.txt", back, NULL, NULL, NULL, &f->err),
        &f->err);
    assert_int_not_equal(access(back, F_OK), 0);
}

struct lying {
    const char *path;
    unsigned calls;
};

static bool change_it(void *data, const struct comb_progress *progress)
{
    struct lying *lying = data;
    if (!progress->finished && lying->calls++ == 0)
        write_local(lying->path, "other", 5);
    return true;
}

static void a_file_that_changes_meanwhile_is_not_sent(void **state)
{
    struct fixture *f = *state;
    char local[4096];
    path_of("changing", local);
    write_local(local, f->bytes, LARGE);
    struct lying lying = {.path = local};
    struct comb_put_options options = {
        .size = sizeof(options), .progress = change_it, .progress_data = &lying};
    must_fail(GRPCC_FAILED_PRECONDITION,
              comb_put_file(f->client, f->arena, local, "/personal/a.txt", &options, NULL, &f->err),
              &f->err);
    assert_int_equal(fake_read(&f->fake, &f->fake.commits), 0);
    assert_int_equal(fake_read(&f->fake, &f->fake.aborts), 1);
}

static int64_t give(void *data, void *buffer, size_t capacity)
{
    struct fixture *f = data;
    size_t left = LARGE - f->n_got, n = capacity < 65521 ? capacity : 65521;
    n = n < left ? n : left;
    memcpy(buffer, f->bytes + f->n_got, n);
    f->n_got += n;
    return (int64_t)n;
}

static void streams_are_sent_without_their_length(void **state)
{
    struct fixture *f = *state;
    must_ok(comb_put_stream(f->client, f->arena, "/personal/a.txt", give, f, NULL, NULL, &f->err),
            &f->err);
    fake_must_hold(&f->fake, f->bytes, LARGE);
}

static bool stop(void *data, const struct comb_progress *progress)
{
    (void)data;
    (void)progress;
    return false;
}

static void progress_cancels(void **state)
{
    struct fixture *f = *state;
    struct comb_put_options options = {.size = sizeof(options), .progress = stop};
    must_fail(GRPCC_CANCELLED,
              comb_put_bytes(f->client, f->arena, "/personal/a.txt", f->bytes, LARGE, &options,
                             NULL, &f->err),
              &f->err);
    assert_int_equal(fake_read(&f->fake, &f->fake.commits), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(small_content_is_one_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paths_without_a_name_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_content_goes_in_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parts_whose_answer_is_lost_are_not_sent_twice, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(downloads_go_on_where_they_broke, set_up, tear_down),
        cmocka_unit_test_setup_teardown(content_that_is_not_what_it_says_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_changes_meanwhile_is_not_sent, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(streams_are_sent_without_their_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(progress_cancels, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
