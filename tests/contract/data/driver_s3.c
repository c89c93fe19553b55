/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/data/driver_s3.h"

#include <stdio.h>

#include "tests/contract/data/fixture.h"

/* One server for all cases, and a prefix for each. */
static struct s3_server server = {.kind = FIXTURE_S3_KIND};

struct s3_server *fixture_s3_server(void)
{
    return &server;
}

enum comb_status fixture_open_store(const char *folder, struct comb_blobs **ret_blobs,
                                    struct comb_error *err)
{
    const char *name = strrchr(folder, '/');
    char parameters[128];
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_store_options options;
    enum comb_status status;

    assert_non_null(arena);
    assert_non_null(name);
    if (!server.process.pid) {
        s3_server_start(&server);
        s3_server_bucket(&server, "contract");
    }
    snprintf(parameters, sizeof parameters, "&prefix=tests%s", name);
    options = s3_server_options(&server, arena, "contract", parameters);
    status = comb_blob_s3_open(&options, ret_blobs, err);
    grpcc_arena_free(arena);
    return status;
}
