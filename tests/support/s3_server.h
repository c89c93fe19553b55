/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real S3 endpoint on a loopback port of its own: versitygw over a folder, or SeaweedFS. Kill,
 * freeze and thaw it by its process (store_process.h). Plain HTTP, region us-east-1, one pair of
 * access keys.
 */
#ifndef TESTS_SUPPORT_S3_SERVER_H
#define TESTS_SUPPORT_S3_SERVER_H

#include "server/core/store.h"
#include "tests/support/store_process.h"

enum s3_server_kind { S3_VERSITYGW, S3_SEAWEEDFS };

#define S3_SERVER_ID "test-key"
#define S3_SERVER_SECRET "test-secret/with+signs="

struct s3_server {
    enum s3_server_kind kind; /* set by the caller */
    struct store_process process;
    int port;
    int ports[3]; /* SeaweedFS' own */
};

/* Makes its folder at first, and starts it; it answers when this returns. */
void s3_server_start(struct s3_server *server);
/* Stops it where it runs; the folder stays. */
void s3_server_done(struct s3_server *server);
/* Makes a bucket where it is missing; it takes objects when this returns. */
void s3_server_bucket(struct s3_server *server, const char *bucket);
/* What to open a bucket with. parameters: "" or "&prefix=a". The URL lives in arena. */
struct comb_store_options s3_server_options(const struct s3_server *server,
                                            struct grpcc_arena *arena, const char *bucket,
                                            const char *parameters);

#endif
