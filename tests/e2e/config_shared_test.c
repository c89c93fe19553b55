/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two combd with one etcd for their configuration: what is set through one is read and watched
 * through the other; while etcd is away reads say that they are old, and changes are refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "comb/v1/config.grpcc.h"
#include "tests/e2e/combd.h"
#include "tests/support/cmocka.h"
#include "tests/support/etcd_server.h"

enum { PATIENCE_S = 60 };

struct fixture {
    struct etcd_server etcd;
    struct combd combds[2];
    struct comb_client *clients[2];
    struct grpcc_arena *arena;
    struct grpcc_error err;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){.arena = grpcc_arena_new(0), .err = GRPCC_ERROR_INIT};
    etcd_server_start(&f->etcd, 1);
    char *url = etcd_server_url(&f->etcd, "shared");
    const char *const flags[] = {"--config", url, NULL};
    for (int i = 0; i < 2; i++) {
        combd_start(&f->combds[i], flags);
        f->clients[i] = combd_client(&f->combds[i]);
    }
    free(url);
}

static void end(struct fixture *f)
{
    for (int i = 0; i < 2; i++) {
        comb_client_close(f->clients[i]);
        combd_stop(&f->combds[i]);
        combd_done(&f->combds[i]);
    }
    etcd_server_done(&f->etcd);
    grpcc_arena_free(f->arena);
}

static enum grpcc_status set(struct fixture *f, int through, const char *path, const char *value)
{
    const struct grpcc_call_options options = {.size = sizeof options, .timeout_ms = 20000};
    struct comb_v1_config_set_request *request = comb_v1_config_set_request_new(f->arena);
    struct comb_v1_config_set_response *response = NULL;
    struct comb_v1_config_change *change = comb_v1_config_change_new(f->arena);
    comb_v1_config_change_set_path(change, path);
    comb_v1_config_change_set_value(change, value);
    assert_true(comb_v1_config_set_request_add_changes(f->arena, request, change));
    return comb_v1_config_set(comb_client_channel(f->clients[through]), f->arena, &options, request,
                              &response, &f->err);
}

static void must_set(struct fixture *f, int through, const char *path, const char *value)
{
    if (set(f, through, path, value) != GRPCC_OK)
        fail_msg("%s through %d: %s", path, through, f->err.message);
}

/* Whether it is old. */
static bool must_get(struct fixture *f, int through, const char *path, const char *value)
{
    struct comb_v1_config_get_request *request = comb_v1_config_get_request_new(f->arena);
    struct comb_v1_config_get_response *response = NULL;
    comb_v1_config_get_request_set_path(request, path);
    if (comb_v1_config_get(comb_client_channel(f->clients[through]), f->arena, NULL, request,
                           &response, &f->err) != GRPCC_OK)
        fail_msg("%s through %d: %s", path, through, f->err.message);
    assert_string_equal(response->entry->value, value);
    return response->stale;
}

/* Until the replica has been told of path by its store. */
static void await_told(struct fixture *f, int through, const char *path)
{
    struct comb_v1_config_watch_request *request = comb_v1_config_watch_request_new(f->arena);
    struct comb_v1_config_watch_response *told = NULL;
    comb_v1_config_watch_request_set_path(request, path);
    struct comb_v1_config_watch_stream *stream = comb_v1_config_watch_stream_open(
        comb_client_channel(f->clients[through]), NULL, request, &f->err);
    assert_non_null(stream);
    do {
        assert_int_equal(comb_v1_config_watch_stream_read(stream, f->arena, &told, &f->err), 1);
    } while (told->n_entries == 0);
    comb_v1_config_watch_stream_free(stream);
}

static void a_change_is_seen_through_the_other(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    must_set(&f, 0, "/a/b", "1");
    assert_false(must_get(&f, 1, "/a/b", "1"));
    /* The watch of one, the changes of the other. */
    struct comb_v1_config_watch_request *request = comb_v1_config_watch_request_new(f.arena);
    struct comb_v1_config_watch_response *told = NULL;
    comb_v1_config_watch_request_set_path(request, "/a");
    struct comb_v1_config_watch_stream *stream =
        comb_v1_config_watch_stream_open(comb_client_channel(f.clients[1]), NULL, request, &f.err);
    assert_non_null(stream);
    for (int next = 2; next < 12;) {
        assert_int_equal(comb_v1_config_watch_stream_read(stream, f.arena, &told, &f.err), 1);
        bool ready = told->kind == COMB_V1_CONFIG_WATCH_KIND_SNAPSHOT_END;
        for (size_t i = 0; i < told->n_entries; i++) {
            if (strtol(told->entries[i]->value, NULL, 10) == next) {
                ready = true;
                next++;
            }
        }
        if (!ready)
            continue;
        char value[16];
        snprintf(value, sizeof value, "%d", next);
        must_set(&f, 0, "/other", value);
        must_set(&f, 0, "/a/b", value);
    }
    comb_v1_config_watch_stream_free(stream);
    end(&f);
}

static void reads_go_on_while_the_store_is_away(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    must_set(&f, 0, "/a", "1");
    must_set(&f, 1, "/b", "2");
    assert_false(must_get(&f, 1, "/a", "1"));
    for (int i = 0; i < 2; i++)
        await_told(&f, i, "/b");
    store_process_kill(&f.etcd.members[0].process);
    assert_true(must_get(&f, 0, "/a", "1"));
    assert_true(must_get(&f, 1, "/a", "1"));
    assert_int_equal(set(&f, 0, "/a", "4"), GRPCC_UNAVAILABLE);
    etcd_server_restart(&f.etcd, 0);
    time_t until = time(NULL) + PATIENCE_S;
    while (set(&f, 0, "/a", "5") != GRPCC_OK && time(NULL) < until)
        usleep(50000);
    until = time(NULL) + PATIENCE_S;
    while (time(NULL) < until && set(&f, 1, "/c", "5") != GRPCC_OK)
        usleep(50000);
    assert_false(must_get(&f, 1, "/a", "5"));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_seen_through_the_other),
        cmocka_unit_test(reads_go_on_while_the_store_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
