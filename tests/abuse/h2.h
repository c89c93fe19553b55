/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of HTTP/2 that may do everything wrong: it writes the frames that it is told to write,
 * and keeps no rule on its own. Blocking; one thread a connection. A peer that is silent for
 * H2_PATIENCE_S counts as gone.
 */
#ifndef TESTS_ABUSE_H2_H
#define TESTS_ABUSE_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { H2_PATIENCE_S = 30, H2_FRAME_MAX = 16384 };

enum h2_type {
    H2_DATA = 0,
    H2_HEADERS = 1,
    H2_RST_STREAM = 3,
    H2_SETTINGS = 4,
    H2_PING = 6,
    H2_GOAWAY = 7,
    H2_WINDOW_UPDATE = 8,
    H2_CONTINUATION = 9
};
enum { H2_ACK = 1, H2_END_STREAM = 1, H2_END_HEADERS = 4 };
enum h2_setting { H2_SETTING_TABLE = 1, H2_SETTING_WINDOW = 4 };
enum h2_error { H2_CANCEL = 8 };

struct h2_frame {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    size_t length;
    uint8_t payload[H2_FRAME_MAX];
};

struct h2 {
    int fd;
    uint32_t next_stream; /* 1, 3, 5, ... */
    uint8_t *out;         /* frames that wait for h2_flush */
    size_t out_length;
    int64_t window;         /* that the peer has granted to the connection */
    int64_t stream_window;  /* and to the stream whose message is being sent */
    int64_t initial_window; /* of each stream, by its settings */
    uint32_t sending;       /* that stream */
    struct h2_frame in;
};

/* A connection to loopback with nothing said on it yet; -1: refused. */
int h2_connect(int port);
/* Connects, sends preface and settings, a window of that many bytes for each stream among them.
 * False: refused. Ends with h2_close in any case. */
bool h2_open(struct h2 *h2, int port, uint32_t window);
void h2_close(struct h2 *h2);

/* Writing; frames gather until h2_flush or until there are many. False: the peer is gone. */
bool h2_write(struct h2 *h2, enum h2_type type, unsigned flags, uint32_t stream,
              const void *payload, size_t length);
bool h2_flush(struct h2 *h2);
/* A block of headers of a call to path, literal; extra pairs of name and value end with NULL.
 * Returns its length, at most room. */
size_t h2_headers(uint8_t *block, size_t room, const char *path, const char *const *extra);
/* Opens a call on the next stream: headers without END_STREAM. Returns the stream; 0: the peer is
 * gone. */
uint32_t h2_call(struct h2 *h2, const char *path, const char *const *extra);
/* A message in frames of DATA, with END_STREAM if it is the last. Compressed sets the flag of
 * gRPC's framing. */
bool h2_message(struct h2 *h2, uint32_t stream, bool compressed, const void *bytes, size_t length,
                bool last);
/* The same within the windows that the peer grants, whose other frames are thrown away meanwhile.
 * False: the peer is gone, or has ended the stream. */
bool h2_message_in_windows(struct h2 *h2, uint32_t stream, bool compressed, const void *bytes,
                           size_t length, bool last);
bool h2_reset(struct h2 *h2, uint32_t stream);
bool h2_window(struct h2 *h2, uint32_t stream, uint32_t bytes);

/* Flushes and reads the next frame into h2->in. False: the peer is gone. */
bool h2_read(struct h2 *h2);
/* Reads, acknowledging settings and pings, until the stream ends. The call's grpc-status; -1: the
 * stream was reset; -2: the peer is gone. */
int h2_status(struct h2 *h2, uint32_t stream);
/* Waits until the peer has read all that was written: a ping is answered in its turn. False: it is
 * gone. */
bool h2_sync(struct h2 *h2);
/* Reads until the peer closes the connection; false: it does not. */
bool h2_is_closed(struct h2 *h2);

#endif
