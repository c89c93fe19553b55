/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressed messages. Off unless a program asks for them, in each direction apart:
 *
 * accepting: grpcc_server_options.accept_compressed and grpcc_channel_options.accept_compressed.
 * What comes in is inflated by the runtime, never to more than inflated_bytes_max: a message that
 * would be larger answers RESOURCE_EXHAUSTED, one that is damaged INTERNAL, one that is compressed
 * in a way that is not accepted UNIMPLEMENTED.
 *
 * sending: grpcc_call_options.compression of a client's call, grpcc_call_set_compression() of a
 * server's. A message that would not get smaller is sent as it is.
 *
 * Do not compress messages that hold a secret beside text that a stranger can choose: their size
 * tells the secret (CRIME, BREACH).
 */
#ifndef GRPCC_COMPRESSION_H
#define GRPCC_COMPRESSION_H

#include <stdbool.h>

#include "grpcc/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grpcc_call;
struct grpcc_client_call;

enum grpcc_compression {
    GRPCC_COMPRESSION_NONE = 0,
    GRPCC_COMPRESSION_DEFLATE = 1, /* zlib's format, RFC 1950 */
    GRPCC_COMPRESSION_GZIP = 2     /* RFC 1952 */
};

/* ---- of a server call ---- */

/* Compresses the responses by that algorithm, where the client takes it; by the other one where it
 * takes only that; not at all where it takes neither. False: too late, the headers have been sent.
 * Threads: as _send. */
bool grpcc_call_set_compression(struct grpcc_call *call,
                                enum grpcc_compression compression) GRPCC_MUST_CHECK;
/* Whether the messages that are sent from now on, the response of _finish among them, are
 * compressed: true at first. Nothing without _set_compression. */
void grpcc_call_set_message_compression(struct grpcc_call *call, bool compress);
/* Whether the request, or the last one that was read, came compressed. */
bool grpcc_call_request_was_compressed(const struct grpcc_call *call);

/* ---- of a client's stream ---- */

/* Whether the messages that are written from now on are compressed: true at first. Nothing without
 * grpcc_call_options.compression. */
void grpcc_stream_set_message_compression(struct grpcc_client_call *call, bool compress);
/* Whether the last message that was read, or the response that _finish gave, came compressed. */
bool grpcc_stream_response_was_compressed(const struct grpcc_client_call *call);

#ifdef __cplusplus
}
#endif

#endif
