/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the built-in services fails once. */
#include "grpc/channelz/v1/channelz.grpcc.h"
#include "grpc/health/v1/health.grpcc.h"
#include "grpc/reflection/v1/reflection.grpcc.h"
#include "grpcc/channelz.h"
#include "tests/grpcc/fault.h"

typedef struct grpc_reflection_v1_server_reflection_request question;
typedef struct grpc_reflection_v1_server_reflection_response answer;
typedef struct grpc_reflection_v1_server_reflection_server_reflection_info_stream info_stream;

static struct fixture *served(void)
{
    struct fixture *f = fixture_new(NULL, &echo_table);
    assert_int_equal(grpcc_channelz_register(f->server, &f->err), GRPCC_OK);
    fixture_start(f);
    return f;
}

/* ---- health ---- */

static struct grpc_health_v1_health_check_request *about(struct fixture *f, const char *service)
{
    struct grpc_health_v1_health_check_request *request =
        grpc_health_v1_health_check_request_new(f->arena);
    if (request)
        grpc_health_v1_health_check_request_set_service(request, service);
    return request;
}

static void health_check(struct fixture *f)
{
    struct grpc_health_v1_health_check_request *request = about(f, "grpcc.testing.Echo");
    struct grpc_health_v1_health_check_response *response = NULL;
    if (!request)
        return;
    fault_must_be_sound(
        grpc_health_v1_health_check(f->channel, f->arena, NULL, request, &response, &f->err));
}

static void health_list(struct fixture *f)
{
    struct grpc_health_v1_health_list_request *request =
        grpc_health_v1_health_list_request_new(f->arena);
    struct grpc_health_v1_health_list_response *response = NULL;
    if (!request)
        return;
    fault_must_be_sound(
        grpc_health_v1_health_list(f->channel, f->arena, NULL, request, &response, &f->err));
}

/* A watch of a name that is registered while it lasts. */
static void health_watch(struct fixture *f)
{
    struct grpc_health_v1_health_check_request *request = about(f, "late.Comer");
    struct grpc_health_v1_health_check_response *response = NULL;
    if (!request)
        return;
    struct grpc_health_v1_health_watch_stream *stream =
        grpc_health_v1_health_watch_stream_open(f->channel, NULL, request, &f->err);
    if (!stream) {
        fault_must_be_sound(f->err.status);
        return;
    }
    int result = grpc_health_v1_health_watch_stream_read(stream, f->arena, &response, &f->err);
    if (result == 1) {
        assert_int_equal(response->status, GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_SERVICE_UNKNOWN);
        /* Twice: where there is no memory to note the first, there is for the second. */
        grpcc_server_set_health(f->server, "late.Comer", GRPCC_NOT_SERVING);
        grpcc_server_set_health(f->server, "late.Comer", GRPCC_SERVING);
        do
            result = grpc_health_v1_health_watch_stream_read(stream, f->arena, &response, &f->err);
        while (result == 1 && response->status != GRPC_HEALTH_V1_HEALTH_CHECK_RESPONSE_SERVING);
    }
    if (result < 0)
        fault_must_be_sound(f->err.status);
    if (result == 0)
        assert_int_equal(grpc_health_v1_health_watch_stream_finish(stream, f->arena, &f->err),
                         GRPCC_RESOURCE_EXHAUSTED);
    grpc_health_v1_health_watch_stream_free(stream);
}

/* ---- reflection ---- */

static question *questions_of(struct fixture *f, unsigned i)
{
    question *asked = grpc_reflection_v1_server_reflection_request_new(f->arena);
    struct grpc_reflection_v1_extension_request *extension =
        grpc_reflection_v1_extension_request_new(f->arena);
    if (!asked || !extension)
        return NULL;
    switch (i) {
    case 0:
        grpc_reflection_v1_server_reflection_request_set_list_services(asked, "*");
        break;
    case 1:
        grpc_reflection_v1_server_reflection_request_set_file_containing_symbol(
            asked, "grpcc.testing.Echo");
        break;
    case 2:
        grpc_reflection_v1_server_reflection_request_set_file_by_filename(asked, "no/such.proto");
        break;
    case 3:
        grpc_reflection_v1_server_reflection_request_set_all_extension_numbers_of_type(
            asked, "google.protobuf.MethodOptions");
        break;
    default:
        grpc_reflection_v1_extension_request_set_containing_type(extension,
                                                                 "google.protobuf.MethodOptions");
        extension->extension_number = 50001;
        grpc_reflection_v1_server_reflection_request_set_file_containing_extension(asked,
                                                                                   extension);
    }
    return asked;
}

static void reflection(struct fixture *f)
{
    info_stream *stream = grpc_reflection_v1_server_reflection_server_reflection_info_stream_open(
        f->channel, NULL, &f->err);
    if (!stream) {
        fault_must_be_sound(f->err.status);
        return;
    }
    int result = 1;
    answer *response = NULL;
    for (unsigned i = 0; result == 1 && i < 5; i++) {
        question *asked = questions_of(f, i);
        if (!asked || !grpc_reflection_v1_server_reflection_server_reflection_info_stream_write(
                          stream, asked))
            break;
        result = grpc_reflection_v1_server_reflection_server_reflection_info_stream_read(
            stream, f->arena, &response, &f->err);
    }
    grpc_reflection_v1_server_reflection_server_reflection_info_stream_close_send(stream);
    while (result == 1)
        result = grpc_reflection_v1_server_reflection_server_reflection_info_stream_read(
            stream, f->arena, &response, &f->err);
    if (result < 0)
        fault_must_be_sound(f->err.status);
    enum grpcc_status status =
        grpc_reflection_v1_server_reflection_server_reflection_info_stream_finish(stream, f->arena,
                                                                                  &f->err);
    if (result == 0)
        fault_must_be_sound(status);
    grpc_reflection_v1_server_reflection_server_reflection_info_stream_free(stream);
}

/* ---- channelz ---- */

static void channelz(struct fixture *f)
{
    struct grpc_channelz_v1_get_servers_request *request =
        grpc_channelz_v1_get_servers_request_new(f->arena);
    struct grpc_channelz_v1_get_servers_response *response = NULL;
    if (!request)
        return;
    fault_must_be_sound(grpc_channelz_v1_channelz_get_servers(f->channel, f->arena, NULL, request,
                                                              &response, &f->err));
}

static void every_service_survives(void **state)
{
    static const struct fault_scenario scenarios[] = {
        {"health check", served, health_check}, {"health list", served, health_list},
        {"health watch", served, health_watch}, {"reflection", served, reflection},
        {"channelz", served, channelz},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
        fault_each(&scenarios[i], 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_service_survives),
    };
    fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
