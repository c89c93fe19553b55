/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "tests/contract/data/fixture.h"

enum comb_status fixture_open_store(const char *folder, struct comb_blobs **ret_blobs,
                                    struct comb_error *err)
{
    char *path = test_path(folder, "data");
    enum comb_status status = comb_blob_files_open(comb_str_from(path), ret_blobs, err);

    free(path);
    return status;
}
