/* SPDX-License-Identifier: Apache-2.0 */
/* Content up and down in one stream. */
#ifndef TESTS_BENCH_STREAMS_H
#define TESTS_BENCH_STREAMS_H

#include <stdint.h>

#include "grpcc/channel.h"
#include "tests/bench/server.h"

struct stream_target {
    struct grpcc_channel *channel;
    const char *authorization;
    const struct server *server;
};

struct stream_result {
    double seconds, cpu_s; /* of one transfer; the server's processor time */
};

/* Exit the program where a transfer fails or gives another length. */
struct stream_result stream_upload(const struct stream_target *target, const char *path,
                                   uint64_t size);
struct stream_result stream_download(const struct stream_target *target, const char *path,
                                     uint64_t size, unsigned times);

#endif
