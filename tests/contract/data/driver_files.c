/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/data/fixture.h"

enum comb_status fixture_open_store(const char *name, struct comb_blobs **ret_blobs,
                                    struct comb_error *err)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", getenv("TEST_TMPDIR"), name);
    return comb_blob_files_open(comb_str_from(path), ret_blobs, err);
}
