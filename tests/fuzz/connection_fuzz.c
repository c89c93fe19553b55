/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A live connection: what a peer may send to a server of all kinds of methods. The first byte says
 * how the rest is sent: as it is, behind a sound beginning, or as a list of frames that are built
 * here, so that what is changed by the fuzzer reaches what lies behind HTTP/2.
 *
 * What must hold: the server ends every connection that its peer has ended, and every call of it,
 * and serves the next one.
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "grpcc/channelz.h"
#include "grpcc/log.h"
#include "grpcc/server.h"
#include "grpcc/testing.grpcc.h"
#include "tests/fuzz/fuzz.h"

/* All frames of one input together: less than a socket takes at once, so that nobody waits. */
enum { OUTPUT_MAX = 64 << 10, STEP_MAX = 2 << 10 };
/* What is longer than this is a hang. */
enum { PATIENCE_MS = 20000 };
/* How long calls that can end by themselves get to do so, before their peer goes. */
enum { SETTLE_MS = 3 };
/* How often the server is replaced by a new one. */
enum { INPUTS_PER_SERVER = 20000 };

enum { FRAME_DATA, FRAME_HEADERS, FRAME_PRIORITY, FRAME_RESET, FRAME_SETTINGS, FRAME_PUSH };
enum { FRAME_PING = 6, FRAME_GOAWAY = 7, FRAME_WINDOW = 8 };
enum { FLAG_END_STREAM = 1, FLAG_ACK = 1, FLAG_END_HEADERS = 4 };

static const char *const paths[] = {
    "/grpcc.testing.Echo/Unary",
    "/grpcc.testing.Echo/Collect",
    "/grpcc.testing.Echo/Expand",
    "/grpcc.testing.Echo/Chat",
    "/grpcc.testing.Echo/Missing",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.health.v1.Health/List",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.channelz.v1.Channelz/GetServers",
    "/grpc.channelz.v1.Channelz/GetServerSockets",
    "/no.Such/Method",
    "nonsense",
};

/* ---- the server ---- */

static struct grpcc_testing_answer *answer_to(struct grpcc_call *call,
                                              const struct grpcc_testing_ask *request)
{
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    if (!answer) {
        grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory");
        return NULL;
    }
    answer->text = request->text;
    answer->count = request->count;
    answer->data = request->data;
    return answer;
}

static void unary(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct grpcc_testing_answer *answer = answer_to(call, request);
    (void)self;
    if (!answer)
        return;
    if (request->inner)
        grpcc_call_add_detail(call, &request->inner->base);
    if (request->status)
        grpcc_call_fail(call, (enum grpcc_status)request->status, "%s", request->text);
    else
        grpcc_testing_echo_unary_finish(call, answer);
}

static void collect(void *self, struct grpcc_call *call)
{
    struct grpcc_testing_ask *request = NULL, *last = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    enum grpcc_status status;
    (void)self;
    while (
        !(status = grpcc_testing_echo_collect_read(call, grpcc_call_arena(call), &request, &err)) &&
        request)
        last = request;
    struct grpcc_testing_answer *answer = last ? answer_to(call, last) : NULL;
    if (status)
        grpcc_call_fail(call, status, "%s", err.message);
    else if (answer)
        grpcc_testing_echo_collect_finish(call, answer);
    else if (!last)
        grpcc_call_fail(call, GRPCC_INVALID_ARGUMENT, "nothing came");
}

static void expand(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct grpcc_testing_answer *answer = answer_to(call, request);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    enum grpcc_status status = GRPCC_OK;
    (void)self;
    if (!answer)
        return;
    for (uint32_t i = 0; !status && i < request->count && i < 1000; i++)
        status = grpcc_testing_echo_expand_send(call, answer, &err);
    if (status)
        grpcc_call_fail(call, status, "%s", err.message);
    else
        grpcc_call_finish_ok(call);
}

static void chat(void *self, struct grpcc_call *call)
{
    struct grpcc_testing_ask *request = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    enum grpcc_status status;
    (void)self;
    while (!(status = grpcc_testing_echo_chat_read(call, grpcc_call_arena(call), &request, &err)) &&
           request) {
        struct grpcc_testing_answer *answer = answer_to(call, request);
        if (!answer)
            return;
        status = grpcc_testing_echo_chat_send(call, answer, &err);
        if (status)
            break;
    }
    if (status)
        grpcc_call_fail(call, status, "%s", err.message);
    else
        grpcc_call_finish_ok(call);
}

static const struct grpcc_testing_echo_server table = {
    .unary = unary,
    .collect = collect,
    .expand = expand,
    .chat = chat,
};

static void silent(void *data, enum grpcc_log_level level, const char *message)
{
    (void)data;
    (void)level;
    (void)message;
}

static struct grpcc_server *server_new(void)
{
    const struct grpcc_server_options options = {
        .size = sizeof options, .pollers = 2, .workers = 8, .streams_blocking_max = 8};
    const struct grpcc_method_config here = {.mode = GRPCC_MODE_INLINE};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    setenv("GRPC_VERBOSITY", "NONE", 1);
    grpcc_set_log(silent, NULL);
    struct grpcc_server *server = grpcc_server_new(&options, &err);
    must(server && !grpcc_testing_echo_register(server, &table, NULL, &err) &&
             !grpcc_server_configure_method(server, paths[0], &here, &err) &&
             !grpcc_channelz_register(server, &err) && !grpcc_server_start(server, &err),
         "there is a server");
    return server;
}

/* ---- what is sent ---- */

struct output {
    uint8_t bytes[OUTPUT_MAX];
    size_t n;
};

static void put(struct output *out, const void *data, size_t size)
{
    if (size > OUTPUT_MAX - out->n)
        size = OUTPUT_MAX - out->n;
    if (size)
        memcpy(out->bytes + out->n, data, size);
    out->n += size;
}

static void put_frame(struct output *out, uint8_t type, uint8_t flags, uint32_t stream,
                      const void *data, size_t size)
{
    const uint8_t head[9] = {(uint8_t)(size >> 16),
                             (uint8_t)(size >> 8),
                             (uint8_t)size,
                             type,
                             flags,
                             (uint8_t)(stream >> 24),
                             (uint8_t)(stream >> 16),
                             (uint8_t)(stream >> 8),
                             (uint8_t)stream};
    put(out, head, sizeof head);
    put(out, data, size);
}

/* A literal header that is not indexed, as HPACK has it without Huffman's code. */
static void put_header(struct output *block, const void *name, size_t name_size, const void *value,
                       size_t value_size)
{
    const uint8_t name_head[2] = {0, (uint8_t)name_size};
    const uint8_t value_head = (uint8_t)value_size;
    put(block, name_head, sizeof name_head);
    put(block, name, name_size);
    put(block, &value_head, 1);
    put(block, value, value_size);
}

static void put_text_header(struct output *block, const char *name, const char *value)
{
    put_header(block, name, strlen(name), value, strlen(value));
}

static void put_beginning(struct output *out)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    put(out, preface, sizeof preface - 1);
    put_frame(out, FRAME_SETTINGS, 0, 0, NULL, 0);
}

/* The input, read from its front; at its end everything is 0. */
struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t take(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

/* As many bytes as the next byte says, or as there are. */
static const uint8_t *take_bytes(struct input *in, size_t max, size_t *ret_size)
{
    size_t size = take(in);
    const uint8_t *data = in->at;
    if (size > max)
        size = max;
    if (size > in->left)
        size = in->left;
    in->at += size;
    in->left -= size;
    *ret_size = size;
    return data;
}

/* A call of the path that the input chooses, with a header of its own where it wants one. */
static void put_call(struct output *out, struct input *in, uint32_t stream, uint8_t flags,
                     bool with_header)
{
    static struct output block;
    size_t name_size, value_size;
    block.n = 0;
    put_text_header(&block, ":method", "POST");
    put_text_header(&block, ":scheme", "http");
    put_text_header(&block, ":path", paths[take(in) % (sizeof paths / sizeof paths[0])]);
    put_text_header(&block, ":authority", "fuzz");
    put_text_header(&block, "te", "trailers");
    put_text_header(&block, "content-type", "application/grpc");
    if (with_header) {
        const uint8_t *name = take_bytes(in, 100, &name_size);
        const uint8_t *value = take_bytes(in, 100, &value_size);
        put_header(&block, name, name_size, value, value_size);
    }
    put_frame(out, FRAME_HEADERS, FLAG_END_HEADERS | flags, stream, block.bytes, block.n);
}

/* A gRPC message of the next bytes; the prefix is sound but for what `kind` asks. */
static void put_message(struct output *out, struct input *in, uint32_t stream, uint8_t flags,
                        bool compressed)
{
    static struct output data;
    size_t size;
    const uint8_t *message = take_bytes(in, 255, &size);
    const uint8_t prefix[5] = {compressed, 0, 0, 0, (uint8_t)size};
    data.n = 0;
    put(&data, prefix, sizeof prefix);
    put(&data, message, size);
    put_frame(out, FRAME_DATA, flags, stream, data.bytes, data.n);
}

static void put_step(struct output *out, struct input *in, uint32_t *stream)
{
    uint8_t step = take(in);
    uint8_t end = step & 0x80 ? FLAG_END_STREAM : 0;
    size_t size;
    const uint8_t *data;
    switch (step & 0x0F) {
    case 0:
    case 1:
        *stream += 2;
        put_call(out, in, *stream, end, step & 1);
        break;
    case 2:
    case 3:
        put_message(out, in, *stream, end, step & 1 && step & 0x40);
        break;
    case 4:
        data = take_bytes(in, 255, &size);
        put_frame(out, FRAME_DATA, end, *stream, data, size);
        break;
    case 5:
        put_frame(out, FRAME_RESET, 0, *stream, "\0\0\0\x8", 4);
        break;
    case 6:
        data = take_bytes(in, 16, &size);
        put_frame(out, FRAME_SETTINGS, 0, 0, data, size - size % 6);
        break;
    case 7:
        put_frame(out, FRAME_WINDOW, 0, step & 0x40 ? *stream : 0, "\0\0\xFF\xFF", 4);
        break;
    case 8:
        put_frame(out, FRAME_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
        break;
    case 9:
        /* Back to an earlier stream, which may have ended. */
        *stream = 1 + 2 * (uint32_t)(take(in) % 8);
        break;
    default: {
        uint8_t type = take(in), flags = take(in);
        data = take_bytes(in, 255, &size);
        put_frame(out, type, flags, step & 0x40 ? 0 : *stream, data, size);
    }
    }
}

/* The first byte modulo 4. */
enum { RAW = 0, RAW_AFTER_BEGINNING = 1 };

/* Whether the input is sent as whole frames, so that the server finds the ping at the end. */
static bool is_sound(const uint8_t *data)
{
    return data[0] % 4 > RAW_AFTER_BEGINNING;
}

static void build(struct output *out, const uint8_t *data, size_t size)
{
    struct input in = {data + 1, size - 1};
    uint32_t stream = UINT32_MAX; /* the first one is 1 */
    out->n = 0;
    if (data[0] % 4 != RAW)
        put_beginning(out);
    if (!is_sound(data)) {
        put(out, in.at, in.left);
    } else {
        while (in.left > 0 && out->n < OUTPUT_MAX - STEP_MAX)
            put_step(out, &in, &stream);
    }
    /* Its answer says that all before it has been read. */
    put_frame(out, FRAME_PING, 0, 0, "fuzzfuzz", 8);
}

/* ---- one connection ---- */

/* Reads what the server says. True: the answer to our ping is in it, or the connection is over. */
static bool has_read_all(int fd, bool *ret_over)
{
    static const uint8_t pong[] = {0, 0, 8, FRAME_PING, FLAG_ACK, 0, 0, 0, 0, 'f', 'u', 'z', 'z'};
    uint8_t bytes[4096];
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    *ret_over = n <= 0;
    return n <= 0 || memmem(bytes, (size_t)n, pong, sizeof pong) != NULL;
}

static void wait_readable(int fd, int patience_ms)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    int n;
    do
        n = poll(&entry, 1, patience_ms);
    while (n < 0 && errno == EINTR);
    must(n == 1 || patience_ms < PATIENCE_MS, "the server answers, or ends the connection");
}

static bool is_idle(const struct grpcc_server *server)
{
    struct grpcc_server_stats stats;
    grpcc_server_get_stats(server, &stats);
    return stats.calls_in_flight == 0;
}

static bool becomes_idle(const struct grpcc_server *server, int patience_ms)
{
    const struct timespec step = {.tv_nsec = 100000};
    for (int i = 0; i < patience_ms * 10; i++) {
        if (is_idle(server))
            return true;
        nanosleep(&step, NULL);
    }
    return is_idle(server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct grpcc_server *server;
    static unsigned inputs;
    static struct output out;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    bool over = false;
    int ends[2];
    if (size == 0)
        return 0;
    if (server && ++inputs % INPUTS_PER_SERVER == 0) {
        grpcc_server_free(server);
        server = NULL;
    }
    if (!server)
        server = server_new();
    build(&out, data, size);
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "there is a socket pair");
    must(grpcc_server_add_fd(server, ends[0], &err) == GRPCC_OK, "the server takes a connection");
    /* The server may have gone away meanwhile: no signal, and no error. */
    ssize_t sent = send(ends[1], out.bytes, out.n, MSG_NOSIGNAL);
    must(sent == (ssize_t)out.n || sent < 0, "the socket takes all at once");
    do
        wait_readable(ends[1], is_sound(data) ? PATIENCE_MS : SETTLE_MS);
    while (is_sound(data) && !has_read_all(ends[1], &over));
    if (!over)
        (void)becomes_idle(server, SETTLE_MS);
    shutdown(ends[1], SHUT_WR);
    while (!over) {
        wait_readable(ends[1], PATIENCE_MS);
        (void)has_read_all(ends[1], &over);
    }
    close(ends[1]);
    must(becomes_idle(server, PATIENCE_MS), "all calls of a connection end with it");
    return 0;
}
