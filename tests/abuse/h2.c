/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/abuse/h2.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { HEAD = 9, OUT_MAX = 256 * 1024, DEFAULT_WINDOW = 65535 };

static void put_32(uint8_t *to, uint32_t value)
{
    value = htonl(value);
    memcpy(to, &value, sizeof(value));
}

static uint32_t get_32(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof(value));
    return ntohl(value);
}

int h2_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = H2_PATIENCE_S};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

bool h2_open(struct h2 *h2, int port, uint32_t window)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    /* A table of size 0: what the server answers is literal, and found without a decoder. */
    uint8_t settings[12] = {0, H2_SETTING_TABLE, 0, 0, 0, 0, 0, H2_SETTING_WINDOW};
    h2->fd = h2_connect(port);
    h2->next_stream = 1;
    h2->window = h2->initial_window = DEFAULT_WINDOW;
    h2->sending = 0;
    h2->out_length = 0;
    h2->out = malloc(OUT_MAX);
    if (h2->fd < 0 || !h2->out)
        return false;
    memcpy(h2->out, preface, sizeof(preface) - 1);
    h2->out_length = sizeof(preface) - 1;
    put_32(settings + 8, window);
    return h2_write(h2, H2_SETTINGS, 0, 0, settings, sizeof(settings)) && h2_flush(h2);
}

void h2_close(struct h2 *h2)
{
    if (h2->fd >= 0)
        close(h2->fd);
    free(h2->out);
    h2->fd = -1;
    h2->out = NULL;
}

/* ---- writing ---- */

bool h2_flush(struct h2 *h2)
{
    size_t sent = 0;
    while (sent < h2->out_length) {
        ssize_t n = send(h2->fd, h2->out + sent, h2->out_length - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    h2->out_length = 0;
    return true;
}

bool h2_write(struct h2 *h2, enum h2_type type, unsigned flags, uint32_t stream,
              const void *payload, size_t length)
{
    if (h2->out_length + HEAD + length > OUT_MAX && !h2_flush(h2))
        return false;
    uint8_t *head = h2->out + h2->out_length;
    put_32(head, (uint32_t)length << 8 | type);
    head[4] = (uint8_t)flags;
    put_32(head + 5, stream);
    if (length)
        memcpy(head + HEAD, payload, length);
    h2->out_length += HEAD + length;
    return true;
}

/* A number with a prefix of 7 bits (RFC 7541, 5.1). */
static size_t put_length(uint8_t *to, size_t value)
{
    size_t n = 0;
    if (value < 127) {
        to[n++] = (uint8_t)value;
        return n;
    }
    to[n++] = 127;
    for (value -= 127; value >= 128; value /= 128)
        to[n++] = (uint8_t)(value % 128 + 128);
    to[n++] = (uint8_t)value;
    return n;
}

/* Literal, not indexed, not compressed. Returns the new length; where there is no room, the old. */
static size_t put_header(uint8_t *block, size_t room, size_t at, const char *name,
                         const char *value)
{
    enum { LENGTHS_MAX = 1 + 2 * 6 };
    size_t name_length = strlen(name), value_length = strlen(value);
    if (at + LENGTHS_MAX + name_length + value_length > room)
        return at;
    block[at++] = 0;
    at += put_length(block + at, name_length);
    memcpy(block + at, name, name_length);
    at += name_length;
    at += put_length(block + at, value_length);
    memcpy(block + at, value, value_length);
    return at + value_length;
}

size_t h2_headers(uint8_t *block, size_t room, const char *path, const char *const *extra)
{
    size_t at = put_header(block, room, 0, ":method", "POST");
    at = put_header(block, room, at, ":scheme", "http");
    at = put_header(block, room, at, ":path", path);
    at = put_header(block, room, at, ":authority", "localhost");
    at = put_header(block, room, at, "te", "trailers");
    at = put_header(block, room, at, "content-type", "application/grpc");
    for (; extra && *extra; extra += 2)
        at = put_header(block, room, at, extra[0], extra[1]);
    return at;
}

uint32_t h2_call(struct h2 *h2, const char *path, const char *const *extra)
{
    uint8_t block[4096];
    uint32_t stream = h2->next_stream;
    size_t length = h2_headers(block, sizeof(block), path, extra);
    h2->next_stream += 2;
    return h2_write(h2, H2_HEADERS, H2_END_HEADERS, stream, block, length) ? stream : 0;
}

bool h2_message(struct h2 *h2, uint32_t stream, bool compressed, const void *bytes, size_t length,
                bool last)
{
    uint8_t head[5] = {compressed};
    put_32(head + 1, (uint32_t)length);
    if (!h2_write(h2, H2_DATA, last && !length ? H2_END_STREAM : 0, stream, head, sizeof(head)))
        return false;
    for (size_t at = 0; at < length; at += H2_FRAME_MAX) {
        size_t part = length - at < H2_FRAME_MAX ? length - at : H2_FRAME_MAX;
        bool end = last && at + part == length;
        if (!h2_write(h2, H2_DATA, end ? H2_END_STREAM : 0, stream, (const char *)bytes + at, part))
            return false;
    }
    return true;
}

bool h2_reset(struct h2 *h2, uint32_t stream)
{
    uint8_t code[4];
    put_32(code, H2_CANCEL);
    return h2_write(h2, H2_RST_STREAM, 0, stream, code, sizeof(code));
}

bool h2_window(struct h2 *h2, uint32_t stream, uint32_t bytes)
{
    uint8_t increment[4];
    put_32(increment, bytes);
    return h2_write(h2, H2_WINDOW_UPDATE, 0, stream, increment, sizeof(increment));
}

/* ---- reading ---- */

static bool receive(int fd, void *to, size_t length)
{
    for (size_t got = 0; got < length;) {
        ssize_t n = recv(fd, (char *)to + got, length - got, 0);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

static void note_windows(struct h2 *h2)
{
    const struct h2_frame *frame = &h2->in;
    if (frame->type == H2_WINDOW_UPDATE && frame->length == 4) {
        int64_t increment = get_32(frame->payload);
        if (frame->stream == 0)
            h2->window += increment;
        else if (frame->stream == h2->sending)
            h2->stream_window += increment;
    }
    if (frame->type != H2_SETTINGS || frame->flags & H2_ACK)
        return;
    for (size_t at = 0; at + 6 <= frame->length; at += 6) {
        if (frame->payload[at + 1] != H2_SETTING_WINDOW)
            continue;
        int64_t initial = get_32(frame->payload + at + 2);
        h2->stream_window += initial - h2->initial_window;
        h2->initial_window = initial;
    }
}

bool h2_read(struct h2 *h2)
{
    uint8_t head[HEAD];
    if (!h2_flush(h2) || !receive(h2->fd, head, sizeof(head)))
        return false;
    h2->in.length = get_32(head) >> 8;
    h2->in.type = head[3];
    h2->in.flags = head[4];
    h2->in.stream = get_32(head + 5) & INT32_MAX;
    if (h2->in.length > H2_FRAME_MAX || !receive(h2->fd, h2->in.payload, h2->in.length))
        return false;
    note_windows(h2);
    return true;
}

/* The value of grpc-status, which the server writes literally; -1: not there. */
static int find_status(const struct h2_frame *frame)
{
    static const char name[] = "grpc-status";
    size_t length = sizeof(name) - 1;
    const uint8_t *at = memmem(frame->payload, frame->length, name, length);
    int status = 0;
    if (!at)
        return -1;
    at += length;
    for (const uint8_t *end = at + 1 + *at; ++at < end;)
        status = status * 10 + (*at - '0');
    return status;
}

static bool acknowledge(struct h2 *h2)
{
    const struct h2_frame *frame = &h2->in;
    if ((frame->type != H2_SETTINGS && frame->type != H2_PING) || frame->flags & H2_ACK)
        return true;
    return h2_write(h2, frame->type, H2_ACK, 0, frame->payload,
                    frame->type == H2_PING ? frame->length : 0);
}

int h2_status(struct h2 *h2, uint32_t stream)
{
    while (h2_read(h2)) {
        const struct h2_frame *frame = &h2->in;
        if (!acknowledge(h2))
            break;
        if (frame->stream != stream)
            continue;
        if (frame->type == H2_RST_STREAM)
            return -1;
        if (frame->type == H2_HEADERS && frame->flags & H2_END_STREAM)
            return find_status(frame);
    }
    return -2;
}

/* Waits until some bytes may be sent, at most wanted; 0: the peer is gone, or has ended the stream.
 */
static size_t wait_for_window(struct h2 *h2, size_t wanted)
{
    for (;;) {
        int64_t window = h2->window < h2->stream_window ? h2->window : h2->stream_window;
        if (window > 0)
            return (size_t)window < wanted ? (size_t)window : wanted;
        if (!h2_read(h2) || !acknowledge(h2))
            return 0;
        if (h2->in.stream == h2->sending && h2->in.flags & H2_END_STREAM &&
            h2->in.type == H2_HEADERS)
            return 0;
        if (h2->in.stream == h2->sending && h2->in.type == H2_RST_STREAM)
            return 0;
    }
}

bool h2_message_in_windows(struct h2 *h2, uint32_t stream, bool compressed, const void *bytes,
                           size_t length, bool last)
{
    uint8_t head[5] = {compressed};
    put_32(head + 1, (uint32_t)length);
    h2->sending = stream;
    h2->stream_window = h2->initial_window - (int64_t)sizeof(head);
    h2->window -= (int64_t)sizeof(head);
    if (!h2_write(h2, H2_DATA, 0, stream, head, sizeof(head)))
        return false;
    for (size_t at = 0; at < length;) {
        size_t left = length - at;
        size_t part = wait_for_window(h2, left < H2_FRAME_MAX ? left : H2_FRAME_MAX);
        bool end = last && part == left;
        if (!part ||
            !h2_write(h2, H2_DATA, end ? H2_END_STREAM : 0, stream, (const char *)bytes + at, part))
            return false;
        at += part;
        h2->window -= (int64_t)part;
        h2->stream_window -= (int64_t)part;
    }
    return h2_flush(h2);
}

bool h2_sync(struct h2 *h2)
{
    static const char question[] = "are you?";
    if (!h2_write(h2, H2_PING, 0, 0, question, 8))
        return false;
    while (h2_read(h2)) {
        if (h2->in.type == H2_PING && h2->in.flags & H2_ACK &&
            memcmp(h2->in.payload, question, 8) == 0)
            return true;
        if (!acknowledge(h2))
            break;
    }
    return false;
}

bool h2_is_closed(struct h2 *h2)
{
    char bytes[4096];
    ssize_t n;
    if (!h2_flush(h2))
        return true;
    do
        n = recv(h2->fd, bytes, sizeof(bytes), 0);
    while (n > 0);
    return n == 0 || errno == ECONNRESET;
}
