/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed messages are refused: core would inflate them without a limit. The runtime's client
 * sends none, so core's own API plays the client. */
#include <grpc/byte_buffer.h>
#include <grpc/compression.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <stdio.h>

#include "tests/grpcc/fixture.h"

static int port;

static int setup(void **state)
{
    struct fixture *f = fixture_new(NULL, &echo_table);
    assert_int_equal(grpcc_server_listen(f->server, "127.0.0.1:0", NULL, &port, &f->err), GRPCC_OK);
    fixture_start(f);
    *state = f;
    return 0;
}

struct answer {
    grpc_status_code code;
    grpc_slice message;
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *received;
};

/* One unary call with 10 kB of text, on a channel that compresses by that algorithm. */
static void call(grpc_compression_algorithm algorithm, const char *path, struct answer *answer)
{
    static char body[10003] = {0x0A, (char)0x90, 0x4E}; /* Ask.text of 10,000 bytes */
    char target[32];
    memset(body + 3, 'x', 10000);
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    char key[] = GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM;
    grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = key, .value.integer = (int)algorithm};
    grpc_channel_args args = {1, &arg};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, credentials, &args);
    grpc_completion_queue *queue = grpc_completion_queue_create_for_pluck(NULL);
    grpc_call *core =
        grpc_channel_create_call(channel, NULL, 0, queue, grpc_slice_from_static_string(path), NULL,
                                 gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_slice slice = grpc_slice_from_static_buffer(body, sizeof(body));
    grpc_byte_buffer *request = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_metadata_array_init(&answer->initial);
    grpc_metadata_array_init(&answer->trailing);
    grpc_op ops[6] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = request},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA,
         .data.recv_initial_metadata.recv_initial_metadata = &answer->initial},
        {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &answer->received},
        {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
         .data.recv_status_on_client = {.trailing_metadata = &answer->trailing,
                                        .status = &answer->code,
                                        .status_details = &answer->message}},
    };
    assert_int_equal(grpc_call_start_batch(core, ops, 6, answer, NULL), GRPC_CALL_OK);
    grpc_completion_queue_pluck(queue, answer, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_byte_buffer_destroy(request);
    grpc_byte_buffer_destroy(answer->received);
    grpc_slice_unref(answer->message);
    grpc_metadata_array_destroy(&answer->initial);
    grpc_metadata_array_destroy(&answer->trailing);
    grpc_call_unref(core);
    grpc_channel_destroy(channel);
    grpc_channel_credentials_release(credentials);
    grpc_completion_queue_shutdown(queue);
    grpc_completion_queue_pluck(queue, NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_completion_queue_destroy(queue);
}

static grpc_status_code status_of(grpc_compression_algorithm algorithm, const char *path)
{
    struct answer answer = {.code = GRPC_STATUS_UNKNOWN};
    call(algorithm, path, &answer);
    return answer.code;
}

static void identity_is_accepted(void **state)
{
    (void)state;
    assert_int_equal(status_of(GRPC_COMPRESS_NONE, "/grpcc.testing.Echo/Unary"), GRPC_STATUS_OK);
    assert_int_equal(status_of(GRPC_COMPRESS_NONE, "/grpcc.testing.Echo/Collect"), GRPC_STATUS_OK);
}

static void gzip_and_deflate_are_unimplemented(void **state)
{
    static const grpc_compression_algorithm algorithms[] = {GRPC_COMPRESS_GZIP,
                                                            GRPC_COMPRESS_DEFLATE};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(status_of(algorithms[i], "/grpcc.testing.Echo/Unary"),
                         GRPC_STATUS_UNIMPLEMENTED);
        assert_int_equal(status_of(algorithms[i], "/grpcc.testing.Echo/Collect"),
                         GRPC_STATUS_UNIMPLEMENTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_is_accepted),
        cmocka_unit_test(gzip_and_deflate_are_unimplemented),
    };
    return cmocka_run_group_tests(tests, setup, fixture_free);
}
