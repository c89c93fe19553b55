/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.health.v1. */
#include <grpc/health/v1/health.grpcc.h>

#include "tests/grpcc/fixture.h"

#define SERVING GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_SERVING
#define NOT_SERVING_ GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_NOT_SERVING
#define SERVICE_UNKNOWN GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_SERVICE_UNKNOWN

typedef struct grpc_health_v1_health_check_response check_response;
typedef struct grpc_health_v1_health_watch_stream watch_stream;

static struct grpc_health_v1_health_check_request *about(struct fixture *f, const char *service)
{
    struct grpc_health_v1_health_check_request *request =
        grpc_health_v1_health_check_request_new(f->arena);
    grpc_health_v1_health_check_request_set_service(request, service);
    return request;
}

static int check(struct fixture *f, const char *service)
{
    check_response *response = NULL;
    enum grpcc_status status = grpc_health_v1_health_check(f->channel, f->arena, NULL,
                                                           about(f, service), &response, &f->err);
    return status ? -(int)status : (int)response->status;
}

static void check_knows_what_is_registered(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(check(f, ""), SERVING);
    assert_int_equal(check(f, "grpcc.testing.Echo"), SERVING);
    assert_int_equal(check(f, "no.Such"), -GRPCC_NOT_FOUND);
    grpcc_server_set_health(f->server, "grpcc.testing.Echo", GRPCC_NOT_SERVING);
    assert_int_equal(check(f, "grpcc.testing.Echo"), NOT_SERVING_);
    assert_int_equal(check(f, ""), SERVING);
    grpcc_server_set_health(f->server, "grpcc.testing.Echo", GRPCC_SERVING);
}

static void list_tells_all(void **state)
{
    struct fixture *f = *state;
    struct grpc_health_v1_health_list_response *response = NULL;
    assert_int_equal(grpc_health_v1_health_list(f->channel, f->arena, NULL,
                                                grpc_health_v1_health_list_request_new(f->arena),
                                                &response, &f->err),
                     GRPCC_OK);
    struct grpc_health_v1_health_list_response_statuses_entry *entry =
        grpc_health_v1_health_list_response_find_statuses(response, "grpcc.testing.Echo");
    assert_non_null(entry);
    assert_int_equal(entry->value->status, SERVING);
    assert_non_null(grpc_health_v1_health_list_response_find_statuses(response, ""));
}

static int next_of(struct fixture *f, watch_stream *stream)
{
    check_response *response = NULL;
    int result = grpc_health_v1_health_watch_stream_read(stream, f->arena, &response, &f->err);
    return result == 1 ? (int)response->status : -1;
}

static void watch_tells_each_change(void **state)
{
    struct fixture *f = *state;
    watch_stream *stream = grpc_health_v1_health_watch_stream_open(
        f->channel, NULL, about(f, "grpcc.testing.Echo"), &f->err);
    assert_int_equal(next_of(f, stream), SERVING);
    grpcc_server_set_health(f->server, "grpcc.testing.Echo", GRPCC_NOT_SERVING);
    assert_int_equal(next_of(f, stream), NOT_SERVING_);
    grpcc_server_set_health(f->server, "grpcc.testing.Echo", GRPCC_NOT_SERVING); /* no change */
    grpcc_server_set_health(f->server, "other", GRPCC_SERVING);
    grpcc_server_set_health(f->server, "grpcc.testing.Echo", GRPCC_SERVING);
    assert_int_equal(next_of(f, stream), SERVING);
    grpc_health_v1_health_watch_stream_free(stream);
}

static void watch_of_an_unknown_name_stays_open(void **state)
{
    struct fixture *f = *state;
    watch_stream *stream =
        grpc_health_v1_health_watch_stream_open(f->channel, NULL, about(f, "late.Comer"), &f->err);
    assert_int_equal(next_of(f, stream), SERVICE_UNKNOWN);
    grpcc_server_set_health(f->server, "late.Comer", GRPCC_SERVING);
    assert_int_equal(next_of(f, stream), SERVING);
    grpc_health_v1_health_watch_stream_free(stream);
}

/* A Watch keeps its request: strangers must not make it keep much. */
static void names_are_limited(void **state)
{
    enum { LENGTH = 20000 };
    struct fixture *f = *state;
    char *name = grpcc_arena_zalloc(f->arena, LENGTH + 1);
    memset(name, 'x', LENGTH);
    assert_int_equal(check(f, name), -GRPCC_RESOURCE_EXHAUSTED);
    watch_stream *stream =
        grpc_health_v1_health_watch_stream_open(f->channel, NULL, about(f, name), &f->err);
    assert_int_equal(next_of(f, stream), -1);
    assert_int_equal(grpc_health_v1_health_watch_stream_finish(stream, f->arena, &f->err),
                     GRPCC_RESOURCE_EXHAUSTED);
    grpc_health_v1_health_watch_stream_free(stream);
}

static void many_watchers_come_and_go(void **state)
{
    enum { N = 20, ROUNDS = 10 };
    struct fixture *f = *state;
    for (int round = 0; round < ROUNDS; round++) {
        watch_stream *streams[N];
        for (int i = 0; i < N; i++)
            streams[i] = grpc_health_v1_health_watch_stream_open(f->channel, NULL,
                                                                 about(f, "flapping"), &f->err);
        for (int i = 0; i < N; i += 2)
            grpc_health_v1_health_watch_stream_free(streams[i]);
        for (int i = 0; i < 5; i++)
            grpcc_server_set_health(f->server, "flapping",
                                    i % 2 ? GRPCC_SERVING : GRPCC_NOT_SERVING);
        for (int i = 1; i < N; i += 2) {
            while (next_of(f, streams[i]) != NOT_SERVING_)
                continue;
            grpc_health_v1_health_watch_stream_free(streams[i]);
        }
        grpcc_server_set_health(f->server, "flapping", GRPCC_SERVING);
        grpcc_arena_reset(f->arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_knows_what_is_registered),
        cmocka_unit_test(list_tells_all),
        cmocka_unit_test(watch_tells_each_change),
        cmocka_unit_test(watch_of_an_unknown_name_stays_open),
        cmocka_unit_test(names_are_limited),
        cmocka_unit_test(many_watchers_come_and_go),
    };
    return cmocka_run_group_tests(tests, fixture_echo, fixture_free);
}
