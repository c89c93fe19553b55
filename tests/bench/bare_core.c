/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bare_core --ready-file FILE: comb.bench.Echo by hand on gRPC core's C API, without the runtime:
 * the least that such a server can cost. What it shares with the runtime: core's arguments, as many
 * completion queues, pollers and slots, RECV_CLOSE in a batch of its own, the decoder and its
 * arena, an answer for unknown methods. What it leaves out: interceptors, limits of time and size
 * per method, counters, drain, handing over to other threads, statuses other than it needs.
 */
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gen/runtime/src/core/abseil.h"
#include "grpcc/message.h"
#include "tests/bench/echo.grpcc.h"
#include "tests/bench/ready.h"

enum { SLOTS = 32, SLOTS_UNKNOWN = 16, POLLERS_PER_QUEUE = 1, QUEUES_MAX = 64, METHODS = 4 };

enum kind { SAY, REPEAT, COLLECT, UNKNOWN };

static const char *const paths[METHODS] = {"/comb.bench.Echo/Say", "/comb.bench.Echo/Repeat",
                                           "/comb.bench.Echo/Collect", NULL};

struct tag {
    void (*run)(struct tag *tag, bool ok);
};

struct slot {
    struct tag tag;
    enum kind kind;
    grpc_completion_queue *queue;
    grpc_call *core;
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_byte_buffer *payload;
    grpc_call_details details;
};

/* Lies in the arena of its core call. */
struct call {
    struct tag on_close, on_end, on_step;
    grpc_call *core;
    int cancelled;
    atomic_uint refs; /* the close, the end, a step of a stream */
    bool initial_sent;
    uint32_t count;                                /* left to send, or read */
    struct comb_bench_echo_repeat_request *repeat; /* in arena */
    struct grpcc_arena *arena;                     /* of a stream */
    grpc_byte_buffer *received;
};

static grpc_server *server;
static void *handles[METHODS];
static _Thread_local struct grpcc_arena *scratch; /* of one unary call, which ends where it began */

static void start(struct call *call, const grpc_op *ops, size_t n, struct tag *tag)
{
    if (grpc_call_start_batch(call->core, ops, n, tag, NULL) != GRPC_CALL_OK)
        abort();
}

static void release(struct call *call)
{
    if (atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) != 1)
        return;
    grpcc_arena_free(call->arena);
    grpc_call_unref(call->core);
}

static void on_close(struct tag *tag, bool ok)
{
    (void)ok;
    release((struct call *)((char *)tag - offsetof(struct call, on_close)));
}

static void on_end(struct tag *tag, bool ok)
{
    (void)ok;
    release((struct call *)((char *)tag - offsetof(struct call, on_end)));
}

/* ---- messages ---- */

static grpc_byte_buffer *pack(const ProtobufCMessage *message)
{
    grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

/* NULL: not sound. Destroys the buffer. */
static void *unpack(grpc_byte_buffer *buffer, struct grpcc_arena *arena,
                    const ProtobufCMessageDescriptor *descriptor)
{
    grpc_byte_buffer_reader reader;
    void *message = NULL;
    if (!buffer || !grpc_byte_buffer_reader_init(&reader, buffer))
        return NULL;
    grpc_slice *borrowed = NULL;
    grpc_slice joined = grpc_empty_slice();
    if (buffer->data.raw.slice_buffer.count == 1)
        grpc_byte_buffer_reader_peek(&reader, &borrowed);
    else
        joined = grpc_byte_buffer_reader_readall(&reader);
    const grpc_slice *slice = borrowed ? borrowed : &joined;
    if (grpcc_message_unpack(arena, descriptor, NULL, GRPC_SLICE_START_PTR(*slice),
                             GRPC_SLICE_LENGTH(*slice), &message, NULL))
        message = NULL;
    grpc_slice_unref(joined);
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(buffer);
    return message;
}

/* ---- calls ---- */

static struct call *begin(grpc_call *core)
{
    struct call *call = grpc_call_arena_alloc(core, sizeof(*call));
    memset(call, 0, sizeof(*call));
    call->core = core;
    call->on_close.run = on_close;
    call->on_end.run = on_end;
    atomic_init(&call->refs, 2);
    grpc_op close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                     .data.recv_close_on_server.cancelled = &call->cancelled};
    start(call, &close, 1, &call->on_close);
    return call;
}

static size_t add_initial(struct call *call, grpc_op *ops)
{
    if (call->initial_sent)
        return 0;
    call->initial_sent = true;
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    return 1;
}

static void end(struct call *call, grpc_status_code status, const ProtobufCMessage *response)
{
    grpc_op ops[3];
    grpc_byte_buffer *reply = response ? pack(response) : NULL;
    grpc_slice text = grpc_slice_from_static_string("");
    memset(ops, 0, sizeof(ops));
    size_t n = add_initial(call, ops);
    if (reply) {
        ops[n].op = GRPC_OP_SEND_MESSAGE;
        ops[n++].data.send_message.send_message = reply;
    }
    ops[n].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[n].data.send_status_from_server.status = status;
    ops[n++].data.send_status_from_server.status_details = &text;
    start(call, ops, n, &call->on_end);
    grpc_byte_buffer_destroy(reply);
}

static void say(struct call *call, grpc_byte_buffer *payload)
{
    if (!scratch)
        scratch = grpcc_arena_new(0);
    struct comb_bench_echo_say_request *request =
        unpack(payload, scratch, &comb_bench_echo_say_request_descriptor);
    struct comb_bench_echo_say_response *response =
        request ? comb_bench_echo_say_response_new(scratch) : NULL;
    if (response) {
        response->text = request->text;
        response->data = request->data;
        end(call, GRPC_STATUS_OK, &response->base);
    } else {
        end(call, GRPC_STATUS_INVALID_ARGUMENT, NULL);
    }
    grpcc_arena_reset(scratch);
}

/* Takes the reference of the step. */
static void repeat_next(struct call *call)
{
    struct comb_bench_echo_say_response *response = comb_bench_echo_say_response_new(call->arena);
    if (!response || call->count == 0) {
        end(call, GRPC_STATUS_OK, NULL);
        release(call);
        return;
    }
    call->count--;
    response->text = call->repeat->text;
    grpc_byte_buffer *buffer = pack(&response->base);
    grpc_op ops[2];
    memset(ops, 0, sizeof(ops));
    size_t n = add_initial(call, ops);
    ops[n].op = GRPC_OP_SEND_MESSAGE;
    ops[n++].data.send_message.send_message = buffer;
    start(call, ops, n, &call->on_step);
    grpc_byte_buffer_destroy(buffer);
}

static void on_sent(struct tag *tag, bool ok)
{
    struct call *call = (struct call *)((char *)tag - offsetof(struct call, on_step));
    if (!ok)
        call->count = 0;
    repeat_next(call);
}

static void repeat(struct call *call, grpc_byte_buffer *payload)
{
    call->arena = grpcc_arena_new(0);
    call->repeat = unpack(payload, call->arena, &comb_bench_echo_repeat_request_descriptor);
    call->on_step.run = on_sent;
    atomic_fetch_add(&call->refs, 1);
    call->count = call->repeat ? call->repeat->count : 0;
    repeat_next(call);
}

static void collect_next(struct call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->received};
    start(call, &op, 1, &call->on_step);
}

static void on_received(struct tag *tag, bool ok)
{
    struct call *call = (struct call *)((char *)tag - offsetof(struct call, on_step));
    (void)ok;
    grpc_byte_buffer *buffer = call->received;
    call->received = NULL;
    grpcc_arena_reset(call->arena);
    if (buffer && unpack(buffer, call->arena, &comb_bench_echo_say_request_descriptor)) {
        call->count++;
        collect_next(call);
        return;
    }
    struct comb_bench_echo_collect_response *response =
        comb_bench_echo_collect_response_new(call->arena);
    response->count = call->count;
    end(call, GRPC_STATUS_OK, &response->base);
    release(call);
}

static void collect(struct call *call)
{
    call->arena = grpcc_arena_new(0);
    call->on_step.run = on_received;
    atomic_fetch_add(&call->refs, 1);
    collect_next(call);
}

/* ---- slots ---- */

static void post(struct slot *slot)
{
    grpc_call_error error =
        slot->kind == UNKNOWN
            ? grpc_server_request_call(server, &slot->core, &slot->details, &slot->metadata,
                                       slot->queue, slot->queue, &slot->tag)
            : grpc_server_request_registered_call(server, handles[slot->kind], &slot->core,
                                                  &slot->deadline, &slot->metadata,
                                                  slot->kind == COLLECT ? NULL : &slot->payload,
                                                  slot->queue, slot->queue, &slot->tag);
    if (error != GRPC_CALL_OK)
        abort();
}

static void on_slot(struct tag *tag, bool ok)
{
    struct slot *slot = (struct slot *)tag;
    if (!ok)
        return; /* the server is shutting down */
    enum kind kind = slot->kind;
    grpc_byte_buffer *payload = slot->payload;
    struct call *call = begin(slot->core);
    slot->payload = NULL;
    slot->metadata.count = 0;
    if (kind == UNKNOWN) {
        grpc_call_details_destroy(&slot->details);
        grpc_call_details_init(&slot->details);
    }
    post(slot);
    if (kind == SAY)
        say(call, payload);
    else if (kind == REPEAT)
        repeat(call, payload);
    else if (kind == COLLECT)
        collect(call);
    else
        end(call, GRPC_STATUS_UNIMPLEMENTED, NULL);
}

static struct slot *make_slots(grpc_completion_queue *queue)
{
    struct slot *slots = calloc(SLOTS * (METHODS - 1) + SLOTS_UNKNOWN, sizeof(*slots));
    size_t n = 0;
    for (enum kind kind = SAY; slots && kind <= UNKNOWN; kind++)
        for (int i = 0; i < (kind == UNKNOWN ? SLOTS_UNKNOWN : SLOTS); i++) {
            struct slot *slot = &slots[n++];
            slot->tag.run = on_slot;
            slot->kind = kind;
            slot->queue = queue;
            grpc_metadata_array_init(&slot->metadata);
            grpc_call_details_init(&slot->details);
        }
    return slots;
}

/* ---- the server ---- */

static void *poll_queue(void *queue)
{
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            break;
        struct tag *tag = event.tag;
        if (tag)
            tag->run(tag, event.success != 0);
    }
    grpcc_arena_free(scratch);
    scratch = NULL;
    return NULL;
}

/* Core as the runtime sets it up. */
static void create(void)
{
    static const struct {
        const char *key;
        int value;
    } values[] = {
        {GRPC_ARG_ALLOW_REUSEPORT, 0},
        {GRPC_ARG_MAX_CONCURRENT_STREAMS, 1000},
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, 4 << 20},
        {GRPC_ARG_MAX_METADATA_SIZE, 16 << 10},
        {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10000},
        {GRPC_ARG_MAX_CONNECTION_AGE_MS, 300000},
        {GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 300000},
        {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10000},
        {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
        {GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1},
        {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0},
    };
    enum { N = sizeof(values) / sizeof(values[0]) };
    grpc_arg items[N];
    for (size_t i = 0; i < N; i++)
        items[i] = (grpc_arg){.type = GRPC_ARG_INTEGER,
                              .key = (char *)(uintptr_t)values[i].key,
                              .value.integer = values[i].value};
    grpc_channel_args args = {N, items};
    server = grpc_server_create(&args, NULL);
    for (enum kind kind = SAY; kind < UNKNOWN; kind++)
        handles[kind] = grpc_server_register_method(
            server, paths[kind], NULL,
            kind == COLLECT ? GRPC_SRM_PAYLOAD_NONE : GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
}

int main(int argc, char **argv)
{
    const char *file = ready_begin(argc, argv);
    grpc_completion_queue *queues[QUEUES_MAX];
    struct slot *slots[QUEUES_MAX];
    pthread_t threads[QUEUES_MAX * POLLERS_PER_QUEUE];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int n = cores < 4 ? 1 : cores / 2 > QUEUES_MAX ? QUEUES_MAX : (int)(cores / 2);
    grpc_init();
    grpcc_abseil_trust_locks();
    create();
    for (int i = 0; i < n; i++) {
        queues[i] = grpc_completion_queue_create_for_next(NULL);
        grpc_server_register_completion_queue(server, queues[i], NULL);
    }
    grpc_server_credentials *insecure = grpc_insecure_server_credentials_create();
    int port = grpc_server_add_http2_port(server, "127.0.0.1:0", insecure);
    grpc_server_credentials_release(insecure);
    grpc_server_start(server);
    for (int i = 0; i < n; i++) {
        slots[i] = make_slots(queues[i]);
        if (!slots[i])
            return 1;
        for (int j = 0; j < SLOTS * (METHODS - 1) + SLOTS_UNKNOWN; j++)
            post(&slots[i][j]);
    }
    for (int i = 0; i < n * POLLERS_PER_QUEUE; i++)
        if (pthread_create(&threads[i], NULL, poll_queue, queues[i % n]) != 0)
            return 1;
    if (!port || !ready_serve(file, port))
        return 1;
    /* Its event carries no tag: the pollers pass over it. */
    grpc_server_shutdown_and_notify(server, queues[0], NULL);
    grpc_server_cancel_all_calls(server);
    return 0;
}
