/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comb/v1/data.grpcc.h"
#include "tests/bench/ids.h"

#define CHUNK_BYTES (1u << 20)

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void stop_with(const char *path, const struct grpcc_error *err)
{
    fprintf(stderr, "bench: %s: %s\n", path, err->message);
    exit(1);
}

/* Strong: a plain client carries no token, and reads here what it has just written. */
static struct grpcc_call_options options_of(const struct stream_target *target,
                                            struct grpcc_metadata headers[2])
{
    headers[0] = (struct grpcc_metadata){"authorization", target->authorization,
                                         strlen(target->authorization)};
    headers[1] = (struct grpcc_metadata){"comb-consistency", "strong", strlen("strong")};
    return (struct grpcc_call_options){.size = sizeof(struct grpcc_call_options),
                                       .timeout_ms = 600000,
                                       .metadata = headers,
                                       .n_metadata = 2};
}

static struct comb_v1_data_upload_request *header_of(struct grpcc_arena *arena, const char *path)
{
    struct comb_v1_data_upload_request *first = comb_v1_data_upload_request_new(arena);
    struct comb_v1_upload_header *header = comb_v1_upload_header_new(arena);
    const char *slash = strrchr(path, '/');
    header->target = comb_v1_upload_target_new(arena);
    header->target->parent = comb_v1_node_ref_new(arena);
    comb_v1_node_ref_set_path(header->target->parent,
                              grpcc_arena_strndup(arena, path, (size_t)(slash - path)));
    comb_v1_upload_target_set_name(header->target, slash + 1);
    comb_v1_upload_header_set_request_id(header, new_request_id(arena));
    comb_v1_data_upload_request_set_header(first, header);
    return first;
}

struct stream_result stream_upload(const struct stream_target *target, const char *path,
                                   uint64_t size)
{
    static uint8_t bytes[CHUNK_BYTES];
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_metadata headers[2];
    struct grpcc_call_options options = options_of(target, headers);
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_data_upload_response *response = NULL;
    double begin = now_s(), cpu = server_cpu(target->server);
    struct comb_v1_data_upload_stream *stream =
        comb_v1_data_upload_stream_open(target->channel, &options, &err);
    bool open = stream && comb_v1_data_upload_stream_write(stream, header_of(arena, path));
    for (uint64_t sent = 0; open && sent < size; sent += CHUNK_BYTES) {
        struct comb_v1_data_upload_request *chunk = comb_v1_data_upload_request_new(arena);
        uint64_t left = size - sent;
        comb_v1_data_upload_request_set_chunk(chunk, bytes,
                                              left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES);
        open = comb_v1_data_upload_stream_write(stream, chunk);
    }
    if (stream)
        (void)comb_v1_data_upload_stream_close_send(stream);
    if (!stream || comb_v1_data_upload_stream_finish(stream, arena, &response, &err) != GRPCC_OK)
        stop_with(path, &err);
    struct stream_result result = {now_s() - begin, server_cpu(target->server) - cpu};
    comb_v1_data_upload_stream_free(stream);
    grpcc_arena_free(arena);
    return result;
}

static uint64_t download_once(const struct stream_target *target, const char *path)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_metadata headers[2];
    struct grpcc_call_options options = options_of(target, headers);
    struct grpcc_arena *arena = grpcc_arena_new(0), *chunks = grpcc_arena_new(0);
    struct comb_v1_data_download_request *request = comb_v1_data_download_request_new(arena);
    struct comb_v1_data_download_response *message = NULL;
    uint64_t received = 0;
    request->node = comb_v1_node_ref_new(arena);
    comb_v1_node_ref_set_path(request->node, path);
    struct comb_v1_data_download_stream *stream =
        comb_v1_data_download_stream_open(target->channel, &options, request, &err);
    while (stream && comb_v1_data_download_stream_read(stream, chunks, &message, &err) == 1) {
        if (message->part_case == COMB_V1_DATA_DOWNLOAD_RESPONSE_PART_CHUNK)
            received += message->chunk.len;
        grpcc_arena_reset(chunks);
    }
    if (!stream || comb_v1_data_download_stream_finish(stream, NULL, &err) != GRPCC_OK)
        stop_with(path, &err);
    comb_v1_data_download_stream_free(stream);
    grpcc_arena_free(chunks);
    grpcc_arena_free(arena);
    return received;
}

struct stream_result stream_download(const struct stream_target *target, const char *path,
                                     uint64_t size, unsigned times)
{
    double begin = now_s(), cpu = server_cpu(target->server);
    for (unsigned i = 0; i < times; i++)
        if (download_once(target, path) != size) {
            fprintf(stderr, "bench: %s came with another length\n", path);
            exit(1);
        }
    return (struct stream_result){(now_s() - begin) / times,
                                  (server_cpu(target->server) - cpu) / times};
}
